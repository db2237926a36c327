/**
 * The Hailo device of this process: one virtual device for each group id, shared by all that open it and released by the last. The
 * library's own scheduler (round robin) lets several networks on it take turns.
 */
import { AppError } from '../../base/errors.ts';
import { type CheckedCalls, checkedCalls, listWith, wordAt } from './checked-calls.ts';
import { deviceChipName, hefChipName, runsOn } from './chips.ts';
import type { HailoDevice, HailoNetwork, HailoOptions } from './contract.ts';
import { readHef } from './hef.ts';
import {
  DEVICE_ID_BYTES,
  type DeviceIdentity,
  IDENTITY_BYTES,
  readIdentity,
  VDEVICE_PARAMS_BYTES,
  WORD_BYTES,
  writeVdeviceParams,
} from './layouts.ts';
import { type HailoLibrary, openLibrary } from './library.ts';
import { openNetwork } from './network.ts';
import { STATUS } from './status.ts';
import { createTurns, type Turns } from './turns.ts';

interface SharedDevice {
  readonly vdevice: bigint;
  /** Undefined where the device belongs to hailort_service, which does not say. */
  readonly identity: DeviceIdentity | undefined;
}

interface Sharing {
  /** Opening, configuring and releasing, which never overlap. */
  readonly turns: Turns;
  /** Those that have it open, and those that wait for it. */
  users: number;
  /** Undefined before the first user's turn and after the last one's. */
  device: SharedDevice | undefined;
}

/** What this process has open, by library, group and service; an entry goes with its last user. */
const sharings = new Map<string, Sharing>();

/** Throws `not_runnable`, with nothing left open, where there is no library, no device, or another program holds it. */
export async function openHailo(options: HailoOptions): Promise<HailoDevice> {
  const library = await openLibrary(options.library);
  const key = JSON.stringify([library.path, options.groupId, options.multiProcessService]);
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
    return createDevice(library, { sharing, device, leave }, options);
  } catch (thrown) {
    leave();
    throw thrown;
  }
}

interface Share {
  readonly sharing: Sharing;
  readonly device: SharedDevice;
  /** To be called once, when this user has let the device go. */
  leave(): void;
}

function createDevice(
  library: HailoLibrary,
  { sharing, device, leave }: Share,
  options: HailoOptions,
): HailoDevice {
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
    const calls = checkedCalls(library, 'Releasing the Hailo device', 'model_failed');
    await calls.later('hailo_release_vdevice', device.vdevice);
  }

  async function openOne(hefPath: string, formats: Formats): Promise<HailoNetwork> {
    if (closed !== undefined) throw new AppError('shutting_down', 'The Hailo device was closed.');
    const { timeoutMs } = options;
    const network = await openNetwork(library, { vdevice: device.vdevice, hefPath }, { formats, timeoutMs });
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

async function openShared(library: HailoLibrary, options: HailoOptions): Promise<SharedDevice> {
  const calls = checkedCalls(library, 'Opening the Hailo device', 'not_runnable');
  const vdevice = await createVdevice(calls, options);
  try {
    return { vdevice, identity: await identify(calls, vdevice) };
  } catch (thrown) {
    // The first failure is the one to tell.
    await calls.later('hailo_release_vdevice', vdevice).catch(() => {});
    throw thrown;
  }
}

async function createVdevice(
  calls: CheckedCalls,
  { groupId, multiProcessService }: HailoOptions,
): Promise<bigint> {
  const { library } = calls;
  // In one piece of memory, so that the name is kept for as long as the params that point to it.
  const params = Buffer.concat([Buffer.alloc(VDEVICE_PARAMS_BYTES), Buffer.from(`${groupId}\0`)]);
  const handle = Buffer.alloc(WORD_BYTES);
  calls.now('hailo_init_vdevice_params', params);
  writeVdeviceParams(params, {
    groupId: library.addressOf(params) + BigInt(VDEVICE_PARAMS_BYTES),
    multiProcessService,
  });
  const status = await library.call('hailo_create_vdevice', params, handle);
  if (status === STATUS.outOfPhysicalDevices) throw noDeviceError(calls);
  calls.check(status);
  return wordAt(handle);
}

/** The library has one status for both, so what is there is looked at. */
function noDeviceError(calls: CheckedCalls): AppError {
  if (scanDevices(calls).length === 0)
    return new AppError(
      'not_runnable',
      'There is no Hailo device. See that it is plugged in and that its driver is loaded (/dev/hailo0 exists, "dmesg | grep hailo"); "percept doctor" says what was found.',
    );
  return new AppError(
    'not_runnable',
    'The Hailo device is in use by another program, or by another process of Percept. Stop that, load one model at a time (models.max_loaded: 1), or share a Hailo-8 by hailort_service (hailo.multi_process_service: true).',
  );
}

/** The ids of the devices that the driver knows, whoever uses them. */
export function scanDevices(calls: CheckedCalls): Buffer[] {
  const { bytes, count } = listWith(DEVICE_ID_BYTES, calls, (ids, length) =>
    calls.library.callNow('hailo_scan_devices', null, ids, length),
  );
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * DEVICE_ID_BYTES, (index + 1) * DEVICE_ID_BYTES),
  );
}

/** What a device says of itself. `device` is a handle of the library. */
export async function identifyDevice(calls: CheckedCalls, device: bigint): Promise<DeviceIdentity> {
  const bytes = Buffer.alloc(IDENTITY_BYTES);
  await calls.later('hailo_identify', device, bytes);
  return readIdentity(bytes);
}

/** These mean that there is no such call here, as with a device behind hailort_service. */
const NOT_HERE: readonly number[] = [STATUS.invalidOperation, STATUS.notImplemented, STATUS.notSupported];

async function identify(calls: CheckedCalls, vdevice: bigint): Promise<DeviceIdentity | undefined> {
  let status = 0;
  const devices = listWith(WORD_BYTES, calls, (items, count) => {
    status = calls.library.callNow('hailo_get_physical_devices', vdevice, items, count);
    return NOT_HERE.includes(status) ? STATUS.ok : status;
  });
  if (NOT_HERE.includes(status) || devices.count === 0) return undefined;
  return identifyDevice(calls, wordAt(devices.bytes));
}

function checkChip(hefPath: string, chip: number, identity: DeviceIdentity): void {
  if (runsOn(identity.chip, chip) !== false) return;
  throw new AppError(
    'unsupported_model',
    `${hefPath} was compiled for ${hefChipName(chip)}, and this device is a ${deviceChipName(identity.chip)}. Take the HEF that was compiled for ${deviceChipName(identity.chip)}.`,
  );
}
