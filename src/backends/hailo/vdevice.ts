/** A device by the C functions: what the driver knows, what it says of itself, and one virtual device with its networks. */
import { AppError } from '../../base/errors.ts';
import { type CheckedCalls, checkedCalls, listWith, wordAt } from './checked-calls.ts';
import type { HailoNetwork, HailoOptions } from './contract.ts';
import {
  DEVICE_ID_BYTES,
  type DeviceIdentity,
  IDENTITY_BYTES,
  readIdentity,
  VDEVICE_PARAMS_BYTES,
  WORD_BYTES,
  writeVdeviceParams,
} from './layouts.ts';
import type { HailoLibrary } from './library.ts';
import type { StreamOptions } from './network.ts';
import { STATUS } from './status.ts';
import { openVstreamNetwork } from './vstream-network.ts';

/** A device of this process, whichever way it is reached. */
export interface OpenDevice {
  /** Undefined where the device belongs to hailort_service, which does not say. */
  readonly identity: DeviceIdentity | undefined;
  /** Of a HEF whose chip was looked at before. */
  open(hefPath: string, options: StreamOptions): Promise<HailoNetwork>;
  /** After its networks were closed. */
  release(): Promise<void>;
}

/** Throws `not_runnable`, with nothing left open, where there is no device or another program holds it. */
export async function openVdevice(library: HailoLibrary, options: HailoOptions): Promise<OpenDevice> {
  const calls = checkedCalls(library, 'Opening the Hailo device', 'not_runnable');
  const { vdevice, params } = await createVdevice(calls, options);
  const release = async () => {
    const releasing = checkedCalls(library, 'Releasing the Hailo device', 'model_failed');
    await releasing.later('hailo_release_vdevice', vdevice);
    // The device points to the name in it until then; whoever can release the device keeps that memory alive.
    params.fill(0);
  };
  try {
    return {
      identity: await identify(calls, vdevice),
      open: (hefPath, streams) => openVstreamNetwork(library, { vdevice, hefPath }, streams),
      release,
    };
  } catch (thrown) {
    // The first failure is the one to tell.
    await release().catch(() => {});
    throw thrown;
  }
}

async function createVdevice(
  calls: CheckedCalls,
  { groupId, multiProcessService }: HailoOptions,
): Promise<{ readonly vdevice: bigint; readonly params: Buffer }> {
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
  return { vdevice: wordAt(handle), params };
}

/** The library has one status for both, so what is there is looked at. */
export function noDeviceError(calls: CheckedCalls): AppError {
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
