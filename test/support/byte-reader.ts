/** A stream of bytes read in pieces of the reader's own size. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  /** What has come and was not read yet. */
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** False at the end of the stream. */
  async hasMore(): Promise<boolean> {
    return this.#fill(1);
  }

  /** Throws where the stream ends before. */
  async read(sizeBytes: number): Promise<Buffer> {
    if (!(await this.#fill(sizeBytes)))
      throw new Error(`The stream ended; ${sizeBytes} more bytes were expected.`);
    const all = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held);
    this.#held = [all.subarray(sizeBytes)];
    this.#heldBytes -= sizeBytes;
    return all.subarray(0, sizeBytes);
  }

  /** Little-endian. */
  async readUint32(): Promise<number> {
    return (await this.read(4)).readUInt32LE();
  }

  async #fill(sizeBytes: number): Promise<boolean> {
    while (this.#heldBytes < sizeBytes) {
      const { value, done } = await this.#chunks.next();
      if (done === true) return false;
      this.#held.push(value);
      this.#heldBytes += value.length;
    }
    return true;
  }
}
