/** A file read forwards in blocks, so that what is passed over is never held and a length that it claims is never allocated. */
import type { FileHandle } from 'node:fs/promises';

const BLOCK_BYTES = 256 * 1024;
const TWO_TO_32 = 2 ** 32;

/** Little-endian. A number may be taken where `holds` says that its bytes are in memory; `need` gets them there. */
export class BlockCursor {
  readonly #handle: FileHandle;
  /** Nothing behind it is read; at most the size of the file. */
  readonly #endOffset: number;
  /** What is thrown where more is asked for than there is. */
  readonly #pastEnd: (wantedOffset: number) => Error;
  #block = Buffer.alloc(0);
  /** Where the block begins in the file: never behind `#offset`. */
  #blockOffset = 0;
  /** Of the next byte. */
  #offset = 0;

  constructor(handle: FileHandle, endOffset: number, pastEnd: (wantedOffset: number) => Error) {
    this.#handle = handle;
    this.#endOffset = endOffset;
    this.#pastEnd = pastEnd;
  }

  get offset(): number {
    return this.#offset;
  }

  get leftBytes(): number {
    return this.#endOffset - this.#offset;
  }

  holds(sizeBytes: number): boolean {
    return this.#offset + sizeBytes <= this.#blockOffset + this.#block.length;
  }

  /** Throws where the file ends before. */
  async need(sizeBytes: number): Promise<void> {
    if (this.holds(sizeBytes)) return;
    if (sizeBytes > this.leftBytes) throw this.#pastEnd(this.#offset + sizeBytes);
    const wanted = Buffer.allocUnsafe(Math.min(Math.max(sizeBytes, BLOCK_BYTES), this.leftBytes));
    let done = 0;
    while (done < sizeBytes) {
      const { bytesRead } = await this.#handle.read(wanted, done, wanted.length - done, this.#offset + done);
      if (bytesRead === 0) throw this.#pastEnd(this.#offset + sizeBytes);
      done += bytesRead;
    }
    this.#block = wanted.subarray(0, done);
    this.#blockOffset = this.#offset;
  }

  /** The next bytes, in the block's own memory: to be used at once. */
  take(sizeBytes: number): Buffer {
    const at = this.#offset - this.#blockOffset;
    this.#offset += sizeBytes;
    return this.#block.subarray(at, at + sizeBytes);
  }

  takeUint32(): number {
    const at = this.#offset - this.#blockOffset;
    this.#offset += 4;
    return this.#block.readUInt32LE(at);
  }

  /** 64 bits as a length: exact up to 2^53, and beyond that larger than any file. */
  takeLength(): number {
    return this.takeUint32() + this.takeUint32() * TWO_TO_32;
  }

  /** Passes over bytes without reading them. Throws where the file ends before. */
  skip(sizeBytes: number): void {
    if (sizeBytes > this.leftBytes) throw this.#pastEnd(this.#offset + sizeBytes);
    this.#offset += sizeBytes;
  }
}
