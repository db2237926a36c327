/** What the library's status codes mean, and what to do about each. Their numbers are the same in every version. */
import { AppError, type ErrorCode } from '../../base/errors.ts';

export const STATUS = {
  ok: 0,
  timeout: 4,
  insufficientBuffer: 5,
  invalidOperation: 6,
  notImplemented: 7,
  streamAbort: 63,
  outOfPhysicalDevices: 74,
  notSupported: 79,
} as const;

export interface Meaning {
  readonly name: string;
  readonly remedy: string;
  /** What it is whatever was being done; else it follows from that. */
  readonly code?: ErrorCode;
}

const SAME_VERSION =
  'The library, the kernel driver and the firmware must be of one version: install HailoRT and its driver of the same version, then restart the machine.';
const RESTART_DEVICE = 'Try again; if it repeats, look at the kernel’s log (dmesg) and restart the machine.';
const BAD_HEF =
  'The HEF is damaged or was made by a compiler that this library does not know: copy or download it again, or take the one for this version of HailoRT.';
const OTHER_CHIP = 'Take the HEF that was compiled for this device’s chip.';
const LESS_MEMORY =
  'Close other programs that use the device or much memory, load fewer models, or take a smaller one.';
const REPORT =
  'Look at the kernel’s log (dmesg); if it repeats, report it with the output of "percept doctor".';

/** Every status that Percept has something to say about; docs/troubleshooting.md has them all. */
export const MEANINGS: ReadonlyMap<number, Meaning> = new Map([
  [1, { name: 'UNINITIALIZED', remedy: REPORT }],
  [2, { name: 'INVALID_ARGUMENT', remedy: REPORT }],
  [3, { name: 'OUT_OF_HOST_MEMORY', remedy: LESS_MEMORY }],
  [
    4,
    {
      name: 'TIMEOUT',
      remedy:
        'The device may be busy with other programs, or hang: try again, raise hailo.timeout_seconds, or restart the machine.',
      code: 'timeout',
    },
  ],
  [5, { name: 'INSUFFICIENT_BUFFER', remedy: REPORT }],
  [
    6,
    {
      name: 'INVALID_OPERATION',
      remedy: 'If hailo.multi_process_service is set: this library has no service, so unset it.',
    },
  ],
  [
    7,
    {
      name: 'NOT_IMPLEMENTED',
      remedy:
        'With a Hailo-10H: build the bridge to it (percept hailo-bridge build). Else install a current version of HailoRT.',
    },
  ],
  [8, { name: 'INTERNAL_FAILURE', remedy: REPORT }],
  [
    13,
    {
      name: 'OPEN_FILE_FAILURE',
      remedy: 'See that the file is there and may be read, and that this user may open /dev/hailo0.',
    },
  ],
  [14, { name: 'FILE_OPERATION_FAILURE', remedy: 'See that the file may be read and the disk is in order.' }],
  [15, { name: 'UNSUPPORTED_CONTROL_PROTOCOL_VERSION', remedy: SAME_VERSION }],
  [16, { name: 'UNSUPPORTED_FW_VERSION', remedy: SAME_VERSION }],
  [17, { name: 'INVALID_CONTROL_RESPONSE', remedy: SAME_VERSION }],
  [18, { name: 'FW_CONTROL_FAILURE', remedy: RESTART_DEVICE }],
  [23, { name: 'INVALID_FIRMWARE', remedy: SAME_VERSION }],
  [25, { name: 'INVALID_FRAME', remedy: RESTART_DEVICE }],
  [26, { name: 'INVALID_HEF', remedy: BAD_HEF, code: 'unsupported_model' }],
  [
    36,
    {
      name: 'DRIVER_OPERATION_FAILED',
      remedy: 'See that this user may read and write /dev/hailo0, and look at the kernel’s log (dmesg).',
    },
  ],
  [47, { name: 'OUT_OF_DESCRIPTORS', remedy: LESS_MEMORY }],
  [57, { name: 'SHUTDOWN_EVENT_SIGNALED', remedy: 'The library is ending: load the model again.' }],
  [
    61,
    {
      name: 'NOT_FOUND',
      remedy: 'The HEF has no such network or stream: take the one that belongs to the model.',
    },
  ],
  [
    62,
    {
      name: 'COMMUNICATION_CLOSED',
      remedy: 'The device or hailort_service went away: see that it runs, then load the model again.',
    },
  ],
  [63, { name: 'STREAM_ABORT', remedy: 'The network was shut down during the work: try again.' }],
  [
    64,
    {
      name: 'DRIVER_NOT_INSTALLED',
      remedy: 'Install Hailo’s kernel driver of the library’s version, then restart the machine.',
    },
  ],
  [65, { name: 'NOT_AVAILABLE', remedy: REPORT }],
  [68, { name: 'INVALID_PIPELINE', remedy: REPORT }],
  [69, { name: 'NETWORK_GROUP_NOT_ACTIVATED', remedy: REPORT }],
  [70, { name: 'VSTREAM_PIPELINE_NOT_ACTIVATED', remedy: REPORT }],
  [71, { name: 'OUT_OF_FW_MEMORY', remedy: LESS_MEMORY }],
  [72, { name: 'STREAM_NOT_ACTIVATED', remedy: REPORT }],
  [
    73,
    {
      name: 'DEVICE_IN_USE',
      remedy: 'Stop the other program, or share a Hailo-8 by hailort_service (hailo.multi_process_service).',
    },
  ],
  [
    74,
    {
      name: 'OUT_OF_PHYSICAL_DEVICES',
      remedy: 'See that the device is there ("percept doctor") and that no other program holds it.',
    },
  ],
  [
    75,
    {
      name: 'INVALID_DEVICE_ARCHITECTURE',
      remedy: 'A Hailo-8 needs HailoRT 4.x, a Hailo-10H or Hailo-15 needs 5.x.',
    },
  ],
  [76, { name: 'INVALID_DRIVER_VERSION', remedy: SAME_VERSION }],
  [
    77,
    {
      name: 'RPC_FAILED',
      remedy:
        'See that hailort_service runs ("systemctl status hailort"), or unset hailo.multi_process_service.',
    },
  ],
  [
    78,
    {
      name: 'INVALID_SERVICE_VERSION',
      remedy: 'Install hailort_service of the library’s version and restart it.',
    },
  ],
  [
    79,
    {
      name: 'NOT_SUPPORTED',
      remedy:
        'A Hailo-8 needs HailoRT 4.x, a Hailo-10H or Hailo-15 needs 5.x; see that the library fits the device.',
    },
  ],
  [
    81,
    {
      name: 'OUT_OF_HOST_CMA_MEMORY',
      remedy: 'Give the kernel more contiguous memory (the boot parameter cma=), or load fewer models.',
    },
  ],
  [82, { name: 'QUEUE_IS_FULL', remedy: RESTART_DEVICE }],
  [85, { name: 'DRIVER_INVALID_RESPONSE', remedy: SAME_VERSION }],
  [86, { name: 'DRIVER_INVALID_IOCTL', remedy: SAME_VERSION }],
  [87, { name: 'DRIVER_TIMEOUT', remedy: RESTART_DEVICE }],
  [88, { name: 'DRIVER_INTERRUPTED', remedy: 'Try again.' }],
  [
    89,
    {
      name: 'CONNECTION_REFUSED',
      remedy: 'See that hailort_service runs, or unset hailo.multi_process_service.',
    },
  ],
  [90, { name: 'DRIVER_WAIT_CANCELED', remedy: 'Try again.' }],
  [91, { name: 'HEF_FILE_CORRUPTED', remedy: BAD_HEF, code: 'unsupported_model' }],
  [92, { name: 'HEF_NOT_SUPPORTED', remedy: BAD_HEF, code: 'unsupported_model' }],
  [93, { name: 'HEF_NOT_COMPATIBLE_WITH_DEVICE', remedy: OTHER_CHIP, code: 'unsupported_model' }],
  [94, { name: 'INVALID_HEF_USE', remedy: REPORT, code: 'unsupported_model' }],
  [95, { name: 'OPERATION_ABORTED', remedy: 'Try again.' }],
  [
    96,
    {
      name: 'DEVICE_NOT_CONNECTED',
      remedy: 'See that the device is plugged in and has power, then restart the machine.',
    },
  ],
  [
    97,
    {
      name: 'DEVICE_TEMPORARILY_UNAVAILABLE',
      remedy: 'Wait until the device is ready again, then try again.',
    },
  ],
]);

export interface StatusContext {
  /** What was being done, as the beginning of a sentence. */
  readonly doing: string;
  /** What it is where the status does not say. */
  readonly code: ErrorCode;
  /** The library's own name of the status, if it has one. */
  readonly libraryName: string | undefined;
}

/** A status other than success as an error with a remedy. */
export function statusError(status: number, { doing, code, libraryName }: StatusContext): AppError {
  const meaning = MEANINGS.get(status);
  const name = meaning === undefined ? libraryName : `HAILO_${meaning.name}`;
  const answered = name === undefined ? `status ${status}` : `${name} (${status})`;
  const remedy = meaning?.remedy ?? REPORT;
  return new AppError(
    meaning?.code ?? code,
    `${doing} failed: Hailo’s library answered ${answered}. ${remedy}`,
  );
}
