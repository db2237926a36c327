/** Where the bridge to a Hailo-10H is built to, and looked for. */
import { join } from 'node:path';

const FILE = 'libpercept-hailo.so';
/** For every user of the machine, such as that of an installed service. */
const SYSTEM_PLACES = ['/usr/local/lib', '/usr/lib/percept'] as const;

/** In the data directory of this user. */
export function ownBridge(home: string): string {
  return join(home, 'hailo', FILE);
}

/** For `HailoOptions.bridges`. `bridge` is a path, `auto`, or null for none. */
export function bridgePlaces(home: string, bridge: string | null): readonly string[] {
  if (bridge === null) return [];
  if (bridge !== 'auto') return [bridge];
  return [ownBridge(home), ...SYSTEM_PLACES.map((place) => join(place, FILE))];
}
