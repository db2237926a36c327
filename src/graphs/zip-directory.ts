/**
 * The directory of a zip file whose members are stored as they are, as PyTorch writes its checkpoints (PKWARE APPNOTE 6.3, sections
 * 4.3.7, 4.3.12 and 4.3.16): tensors are then read at their place, never unpacked. Zip64 members are read too.
 */
import { AppError } from '../base/errors.ts';
import type { PositionedFile } from './weight-file.ts';

export interface StoredMember {
  /** Where its bytes begin in the file. */
  readonly offset: number;
  readonly sizeBytes: number;
}

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const ZIP64_LOCATOR_SIGNATURE = 0x07064b50;
const ZIP64_LOCATOR_BYTES = 20;
const ZIP64_END_SIGNATURE = 0x06064b50;
const ZIP64_END_BYTES = 56;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
const ZIP64_EXTRA_ID = 1;
/** Stands for a number that the zip64 fields hold. */
const IN_ZIP64 = 0xffff_ffff;
/** A checkpoint of thousands of tensors needs less than a megabyte. */
const MAX_DIRECTORY_BYTES = 64 * 2 ** 20;

interface Directory {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Members by name. Throws `unsupported_model` for a file that is cut, packed or no zip file. */
export function readStoredMembers(file: PositionedFile): ReadonlyMap<string, StoredMember> {
  const { offset, sizeBytes } = findDirectory(file);
  if (sizeBytes > MAX_DIRECTORY_BYTES) throw broken(file, `its directory claims ${sizeBytes} bytes`);
  const bytes = file.read(offset, sizeBytes);
  const members = new Map<string, StoredMember>();
  let at = 0;
  while (at + ENTRY_BYTES <= bytes.length) {
    if (bytes.readUInt32LE(at) !== ENTRY_SIGNATURE) throw broken(file, 'its directory is damaged');
    const nameBytes = bytes.readUInt16LE(at + 28);
    const extraBytes = bytes.readUInt16LE(at + 30);
    const nameEnd = at + ENTRY_BYTES + nameBytes;
    const next = nameEnd + extraBytes + bytes.readUInt16LE(at + 32);
    if (next > bytes.length) throw broken(file, 'its directory is damaged');
    const name = bytes.toString('utf8', at + ENTRY_BYTES, nameEnd);
    const entry = bytes.subarray(at, at + ENTRY_BYTES);
    members.set(name, memberOf(file, name, { entry, extra: bytes.subarray(nameEnd, nameEnd + extraBytes) }));
    at = next;
  }
  return members;
}

function findDirectory(file: PositionedFile): Directory {
  const tailBytes = Math.min(file.sizeBytes, END_BYTES + MAX_COMMENT_BYTES);
  const start = file.sizeBytes - tailBytes;
  const tail = file.read(start, tailBytes);
  for (let at = tail.length - END_BYTES; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) !== END_SIGNATURE) continue;
    const sizeBytes = tail.readUInt32LE(at + 12);
    const offset = tail.readUInt32LE(at + 16);
    const isZip64 = offset === IN_ZIP64 || sizeBytes === IN_ZIP64;
    return isZip64 ? findZip64Directory(file, start + at) : { offset, sizeBytes };
  }
  throw broken(file, 'it has no directory at its end');
}

function findZip64Directory(file: PositionedFile, end: number): Directory {
  if (end < ZIP64_LOCATOR_BYTES) throw broken(file, 'its directory is damaged');
  const locator = file.read(end - ZIP64_LOCATOR_BYTES, ZIP64_LOCATOR_BYTES);
  if (locator.readUInt32LE(0) !== ZIP64_LOCATOR_SIGNATURE) throw broken(file, 'its directory is damaged');
  const record = file.read(Number(locator.readBigUInt64LE(8)), ZIP64_END_BYTES);
  if (record.readUInt32LE(0) !== ZIP64_END_SIGNATURE) throw broken(file, 'its directory is damaged');
  return { sizeBytes: Number(record.readBigUInt64LE(40)), offset: Number(record.readBigUInt64LE(48)) };
}

function memberOf(
  file: PositionedFile,
  name: string,
  { entry, extra }: { readonly entry: Buffer; readonly extra: Buffer },
): StoredMember {
  const [flags, method] = [entry.readUInt16LE(8), entry.readUInt16LE(10)];
  if (method !== 0 || (flags & 1) !== 0) throw broken(file, `its member ${name} is packed or encrypted`);
  let sizeBytes = entry.readUInt32LE(24);
  let header = entry.readUInt32LE(42);
  // Its numbers stand in this order, and only those that did not fit above.
  let wide = zip64Numbers(extra);
  if (sizeBytes === IN_ZIP64) [sizeBytes = Number.NaN, , ...wide] = wide;
  if (header === IN_ZIP64) [header = Number.NaN] = wide;
  if (!Number.isSafeInteger(sizeBytes + header))
    throw broken(file, `its member ${name} has no size or place`);
  const local = file.read(header, LOCAL_BYTES);
  if (local.readUInt32LE(0) !== LOCAL_SIGNATURE)
    throw broken(file, `its member ${name} is not where it should be`);
  const offset = header + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28);
  if (offset + sizeBytes > file.sizeBytes) throw broken(file, `its member ${name} passes its end`);
  return { offset, sizeBytes };
}

function zip64Numbers(extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length; ) {
    const sizeBytes = extra.readUInt16LE(at + 2);
    const body = extra.subarray(at + 4, at + 4 + sizeBytes);
    if (extra.readUInt16LE(at) === ZIP64_EXTRA_ID)
      return Array.from({ length: Math.floor(body.length / 8) }, (_, index) =>
        Number(body.readBigUInt64LE(8 * index)),
      );
    at += 4 + sizeBytes;
  }
  return [];
}

function broken(file: PositionedFile, problem: string): AppError {
  return new AppError(
    'unsupported_model',
    `${file.path} is not a whole PyTorch checkpoint in zip form: ${problem}. Copy or pull it again; one that PyTorch before 1.6 has written must be loaded and saved again by a newer one.`,
  );
}
