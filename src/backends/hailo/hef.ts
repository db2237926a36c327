/**
 * What a HEF says of itself, read without Hailo's library: which chip it was compiled for, and the inputs and outputs of its networks. Only
 * the header and the description are read, which are small; the hundreds of megabytes behind them only for a checksum.
 *
 *   header (big-endian)   u32 magic, u32 version, u32 bytes of the description, then by version
 *                         0: u32 0, 16 bytes MD5 · 1: u32 CRC-32, u64 rest, u32 0 · 2: u64 XXH3, u64 rest, 2 × u64
 *                         3: u64 XXH3, u64 rest, u32 padding within it, u64 more behind it, 2 × u64
 *   description           the message ProtoHEFHef of HailoRT's public hef.proto
 *   rest                  what configures the chip
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { throwIfAborted } from '../../base/abort.ts';
import { AppError } from '../../base/errors.ts';
import { hefChipName } from './chips.ts';
import { describeHef, type HefGroup } from './hef-description.ts';

export interface Hef {
  readonly version: number;
  readonly sizeBytes: number;
  /** ProtoHEFHwArch, and its name. */
  readonly chip: number;
  readonly chipName: string;
  /** Of the compiler that wrote it; empty where it does not say. */
  readonly sdkVersion: string;
  readonly checksum: HefChecksum;
  readonly groups: readonly HefGroup[];
}

export interface HefChecksum {
  readonly algorithm: 'md5' | 'crc32' | 'xxh3';
  /** XXH3 is the library's to check. */
  readonly verdict: 'matches' | 'differs' | 'not checked';
}

export interface HefReadOptions {
  /** Reads the whole file, too. False where it is left out. */
  readonly checksum?: boolean;
  readonly signal?: AbortSignal;
}

const MAGIC = 0x01484546;
const HEADER_BYTES = [32, 28, 44, 56] as const;
/** Those of large models have about a megabyte; only files of the first version, which have all in it, pass this. */
const MAX_DESCRIPTION_BYTES = 128 * 1024 * 1024;
const BLOCK_BYTES = 1024 * 1024;

/** Throws `unsupported_model` for a file that is not there, is no HEF, or is damaged as far as it is read. */
export async function readHef(path: string, options: HefReadOptions = {}): Promise<Hef> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw new AppError('unsupported_model', `The HEF ${path} cannot be opened: ${reasonOf(cause)}`, {
      cause,
    });
  });
  try {
    return await readOpened(handle, options);
  } catch (thrown) {
    if (!(thrown instanceof AppError) || thrown.code !== 'unsupported_model') throw thrown;
    throw new AppError('unsupported_model', `${path} is not a HEF that can be read. ${thrown.message}`, {
      cause: thrown,
    });
  } finally {
    await handle.close();
  }
}

async function readOpened(handle: FileHandle, { checksum = false, signal }: HefReadOptions): Promise<Hef> {
  throwIfAborted(signal);
  const stat = await handle.stat();
  if (!stat.isFile()) throw refused('It is no file.');
  const header = await readHeader(handle, stat.size);
  const description = await readExactly(handle, header.headerBytes, header.descriptionBytes);
  const { chip, sdkVersion, groups } = describeHef(description);
  return {
    version: header.version,
    sizeBytes: stat.size,
    chip,
    chipName: hefChipName(chip),
    sdkVersion,
    checksum: {
      algorithm: header.algorithm,
      verdict: checksum ? await check(handle, header, { sizeBytes: stat.size, signal }) : 'not checked',
    },
    groups,
  };
}

interface Header {
  readonly version: number;
  readonly headerBytes: number;
  readonly descriptionBytes: number;
  readonly algorithm: HefChecksum['algorithm'];
  /** What the checksum must be; empty where it cannot be computed here. */
  readonly expected: Buffer;
}

async function readHeader(handle: FileHandle, sizeBytes: number): Promise<Header> {
  if (sizeBytes < 12) throw refused(`It has ${sizeBytes} bytes.`);
  const start = await readExactly(handle, 0, 12);
  if (start.readUInt32BE(0) !== MAGIC) throw refused('It does not begin as one.');
  const version = start.readUInt32BE(4);
  const headerBytes = HEADER_BYTES[version];
  if (headerBytes === undefined)
    throw refused(`It has version ${version}; 0 to ${HEADER_BYTES.length - 1} are known.`);
  if (sizeBytes < headerBytes) throw refused(`It has ${sizeBytes} bytes.`);
  const bytes = await readExactly(handle, 0, headerBytes);
  const descriptionBytes = bytes.readUInt32BE(8);
  const expectedBytes = BigInt(headerBytes) + BigInt(descriptionBytes) + restBytes(bytes, version);
  if (BigInt(sizeBytes) !== expectedBytes)
    throw refused(`It has ${sizeBytes} bytes, and its header says ${expectedBytes}; copy it again.`);
  if (descriptionBytes > MAX_DESCRIPTION_BYTES)
    throw refused(
      `Its description has ${descriptionBytes} bytes, more than ${MAX_DESCRIPTION_BYTES}; compile the model again with a current compiler.`,
    );
  const algorithm = (['md5', 'crc32', 'xxh3', 'xxh3'] as const)[version]!;
  const expected = { md5: bytes.subarray(16, 32), crc32: bytes.subarray(12, 16), xxh3: Buffer.alloc(0) };
  return { version, headerBytes, descriptionBytes, algorithm, expected: expected[algorithm] };
}

/** What the header says to follow the description. */
function restBytes(header: Buffer, version: number): bigint {
  switch (version) {
    case 0:
      return 0n;
    case 1:
      return header.readBigUInt64BE(16);
    case 2:
      return header.readBigUInt64BE(20);
    default:
      return header.readBigUInt64BE(20) + header.readBigUInt64BE(32);
  }
}

async function readExactly(handle: FileHandle, offset: number, sizeBytes: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  for (let done = 0; done < sizeBytes; ) {
    const { bytesRead } = await handle.read(bytes, done, sizeBytes - done, offset + done);
    if (bytesRead === 0) throw refused('It became shorter while it was read.');
    done += bytesRead;
  }
  return bytes;
}

/** Over everything behind the header. */
async function check(
  handle: FileHandle,
  { headerBytes, algorithm, expected }: Header,
  { sizeBytes, signal }: { readonly sizeBytes: number; readonly signal: AbortSignal | undefined },
): Promise<HefChecksum['verdict']> {
  if (algorithm === 'xxh3') return 'not checked';
  const md5 = createHash('md5');
  let crc = 0;
  for (let offset = headerBytes; offset < sizeBytes; offset += BLOCK_BYTES) {
    throwIfAborted(signal);
    const block = await readExactly(handle, offset, Math.min(BLOCK_BYTES, sizeBytes - offset));
    if (algorithm === 'md5') md5.update(block);
    else crc = crc32(block, crc);
  }
  const matches = algorithm === 'md5' ? md5.digest().equals(expected) : expected.readUInt32BE() === crc;
  return matches ? 'matches' : 'differs';
}

function refused(message: string): AppError {
  return new AppError('unsupported_model', message);
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
