/**
 * How HailoRT's public header lays out what is passed to and from the library, in bytes, on 64-bit systems (x86-64 and arm64 alike). The
 * same from 4.17 to 5.2 but for one: the vstream info grew by four bytes in 4.20. Structures that differ more are never passed.
 */
import { AppError } from '../../base/errors.ts';
import type { HailoFormat, HailoShape } from './contract.ts';

export interface HailoVersion {
  readonly major: number;
  readonly minor: number;
  readonly revision: number;
}

export const VERSION_BYTES = 12;
export const DEVICE_ID_BYTES = 32;
export const VDEVICE_PARAMS_BYTES = 40;
export const VSTREAM_PARAMS_BYTES = 156;
export const GROUP_INFO_BYTES = 129;
export const LAYER_NAME_BYTES = 128;
export const IDENTITY_BYTES = 140;
/** Of a handle, and of a size. */
export const WORD_BYTES = 8;

/** hailo_format_type_t */
export const FORMAT_TYPES = { uint8: 1, float32: 3 } as const satisfies Record<HailoFormat, number>;

const NAME_BYTES = 128;
const ROUND_ROBIN = 1;

export function readVersion(bytes: Buffer, offset = 0): HailoVersion {
  return {
    major: bytes.readUInt32LE(offset),
    minor: bytes.readUInt32LE(offset + 4),
    revision: bytes.readUInt32LE(offset + 8),
  };
}

export function versionText({ major, minor, revision }: HailoVersion): string {
  return `${major}.${minor}.${revision}`;
}

/** Of one vstream info. Throws `not_runnable` for versions whose layouts are not known. */
export function vstreamInfoBytes(version: HailoVersion): number {
  const { major, minor } = version;
  if (major === 4 && minor >= 20) return 436;
  if (major === 4 && minor >= 17) return 432;
  if (major === 5) return 436;
  throw new AppError(
    'not_runnable',
    `HailoRT ${versionText(version)} is not supported: Percept knows 4.17 to 5.x. Install a current 4.x for a Hailo-8, or 5.x for a later chip, with the driver of the same version.`,
  );
}

export interface VdeviceParams {
  /** Where the group's name lies, with a zero byte behind it; it must stay there while the params are used. */
  readonly groupId: bigint;
  readonly multiProcessService: boolean;
}

/** On top of the library's defaults: one device, any. */
export function writeVdeviceParams(bytes: Buffer, { groupId, multiProcessService }: VdeviceParams): void {
  bytes.writeInt32LE(ROUND_ROBIN, 16);
  bytes.writeBigUInt64LE(groupId, 24);
  bytes.writeUInt8(multiProcessService ? 1 : 0, 32);
}

export interface VstreamInfo {
  readonly name: string;
  readonly isInput: boolean;
  /** hailo_format_order_t */
  readonly order: number;
  readonly shape: HailoShape;
}

export function readVstreamInfo(bytes: Buffer, offset = 0): VstreamInfo {
  return {
    name: readText(bytes, offset, NAME_BYTES),
    isInput: bytes.readInt32LE(offset + 388) === 0,
    order: bytes.readInt32LE(offset + 396),
    shape: {
      height: bytes.readUInt32LE(offset + 404),
      width: bytes.readUInt32LE(offset + 408),
      features: bytes.readUInt32LE(offset + 412),
    },
  };
}

/** Into every one of the params that the library made. */
export function writeTimeout(params: Buffer, count: number, timeoutMs: number): void {
  for (let index = 0; index < count; index += 1)
    params.writeUInt32LE(timeoutMs, index * VSTREAM_PARAMS_BYTES + NAME_BYTES + 12);
}

/** hailo_device_identity_t */
export interface DeviceIdentity {
  readonly firmware: HailoVersion;
  readonly board: string;
  /** hailo_device_architecture_t */
  readonly chip: number;
  readonly serial: string;
  readonly product: string;
}

export function readIdentity(bytes: Buffer): DeviceIdentity {
  return {
    firmware: readVersion(bytes, 4),
    board: readText(bytes, 21, Math.min(bytes.readUInt8(20), 32)),
    chip: bytes.readInt32LE(56),
    serial: readText(bytes, 61, Math.min(bytes.readUInt8(60), 16)),
    product: readText(bytes, 95, Math.min(bytes.readUInt8(94), 42)),
  };
}

/** Up to its first zero byte, or to the end of its place. */
export function readText(bytes: Buffer, offset: number, mostBytes: number): string {
  const place = bytes.subarray(offset, offset + mostBytes);
  const end = place.indexOf(0);
  return place.toString('utf8', 0, end < 0 ? mostBytes : end);
}
