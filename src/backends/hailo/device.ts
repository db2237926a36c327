/**
 * The Hailo device of this process: one virtual device for each group id, shared by all that open it and released by the last. The
 * library's own scheduler (round robin) lets several networks on it take turns. A Hailo-10H is reached by the bridge, every other by the library's C
 * functions; where the way of a device is not there, the device is refused, and never reached by the other.
 */
import { AppError } from '../../base/errors.ts';
import { findBridge, openBridge, openBridgedDevice } from './bridge.ts';
import { deviceChipName, hefChipName, isForCppOnly, needsBridge, runsOn } from './chips.ts';
import type { HailoDevice, HailoNetwork, HailoOptions } from './contract.ts';
import { readHef } from './hef.ts';
import { type DeviceIdentity, versionText } from './layouts.ts';
import { type HailoLibrary, openLibrary } from './library.ts';
import { createTurns, type Turns } from './turns.ts';
import { type OpenDevice, openVdevice } from './vdevice.ts';

interface Sharing {
  /** Opening, configuring and releasing, which never overlap. */
  readonly turns: Turns;
  /** Those that have it open, and those that wait for it. */
  users: number;
  /** Undefined before the first user's turn and after the last one's. */
  device: OpenDevice | undefined;
}

/** What this process has open, by library, bridge, group and service; an entry goes with its last user. */
const sharings = new Map<string, Sharing>();

/** Throws `not_runnable`, with nothing left open, where there is no library, no device, no way to it, or another program holds it. */
export async function openHailo(options: HailoOptions): Promise<HailoDevice> {
  const library = await openLibrary(options.library);
  const { groupId, multiProcessService, bridges } = options;
  const key = JSON.stringify([library.path, bridges, groupId, multiProcessService]);
  const sharing = sharings.get(key) ?? { turns: createTurns(), users: 0, device: undefined };
  sharings.set(key, sharing);
  sharing.users += 1;
  const leave = () => {
    sharing.users -= 1;
    if (sharing.users === 0) sharings.delete(key);
  };
  try {
    const device = await sharing.turns.take(undefined, async () => {
      sharing.device ??= await openShared(library, options);
      return sharing.device;
    });
    return createDevice({ sharing, device, leave }, options);
  } catch (thrown) {
    leave();
    throw thrown;
  }
}

interface Share {
  readonly sharing: Sharing;
  readonly device: OpenDevice;
  /** To be called once, when this user has let the device go. */
  leave(): void;
}

function createDevice({ sharing, device, leave }: Share, options: HailoOptions): HailoDevice {
  const networks = new Set<HailoNetwork>();
  let closed: Promise<void> | undefined;

  async function close(): Promise<void> {
    const outcomes = await Promise.allSettled([...networks].map((network) => network.close()));
    try {
      if (sharing.users === 1) await releaseDevice();
    } finally {
      leave();
    }
    const failure = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }

  async function releaseDevice(): Promise<void> {
    sharing.device = undefined;
    await device.release();
  }

  async function openOne(hefPath: string, formats: Formats): Promise<HailoNetwork> {
    if (closed !== undefined) throw new AppError('shutting_down', 'The Hailo device was closed.');
    const { timeoutMs } = options;
    const network = await device.open(hefPath, { formats, timeoutMs });
    networks.add(network);
    return {
      ...network,
      async close() {
        await network.close();
        networks.delete(network);
      },
    };
  }

  return {
    async open(hefPath, formats) {
      const { chip } = await readHef(hefPath);
      if (device.identity !== undefined) checkChip(hefPath, chip, device.identity);
      return sharing.turns.take(undefined, () => openOne(hefPath, formats));
    },
    close() {
      closed ??= sharing.turns.take(undefined, close);
      return closed;
    },
  };
}

type Formats = Parameters<HailoDevice['open']>[1];

async function openShared(library: HailoLibrary, options: HailoOptions): Promise<OpenDevice> {
  // By the C functions, which every device answers, to learn which it is.
  const device = await openVdevice(library, options);
  const { identity } = device;
  if (identity === undefined || !needsBridge(identity.chip)) return device;
  const path = findBridge(options.bridges);
  if (path === undefined && !isForCppOnly(identity.chip, library.version)) return device;
  await device.release();
  if (path === undefined) throw noBridgeError(library, identity, options.bridges);
  return openBridgedDevice(await openBridge(path, library), { library, identity, groupId: options.groupId });
}

function noBridgeError(
  { version }: HailoLibrary,
  { chip }: DeviceIdentity,
  bridges: readonly string[],
): AppError {
  const found = bridges.length === 0 ? 'hailo.bridge is null' : `there is none at ${bridges.join(' or ')}`;
  return new AppError(
    'not_runnable',
    `HailoRT ${versionText(version)} lets only C++ programs use a ${deviceChipName(chip)}, so a bridge is needed, and ${found}. Build it: percept hailo-bridge build.`,
  );
}

function checkChip(hefPath: string, chip: number, identity: DeviceIdentity): void {
  if (runsOn(identity.chip, chip) !== false) return;
  throw new AppError(
    'unsupported_model',
    `${hefPath} was compiled for ${hefChipName(chip)}, and this device is a ${deviceChipName(identity.chip)}. Take the HEF that was compiled for ${deviceChipName(identity.chip)}.`,
  );
}
