/** Files that stand beside the repository, on the machines that have them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export function sharedFile(path: string): string | undefined {
  const found = join(fileURLToPath(new URL('../../../../shared/', import.meta.url)), path);
  return existsSync(found) ? found : undefined;
}
