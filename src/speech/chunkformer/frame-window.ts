/** The frames of a sequence that are still needed: rows are added at the end and go at the beginning. */

export class FrameWindow {
  readonly width: number;
  /** The first frame that is held, and the one after the last. */
  #start: number;
  #end: number;
  #data: Float32Array;
  /** Row of `#data` at which frame `#start` lies. */
  #row = 0;

  /** `start` may be negative: rows of the past that are added first. */
  constructor(width: number, start: number) {
    this.width = width;
    this.#start = start;
    this.#end = start;
    this.#data = new Float32Array(0);
  }

  get end(): number {
    return this.#end;
  }

  /** Room for so many rows at the end, with whatever was there before; to be filled before the next call. */
  append(rows: number): Float32Array {
    this.#makeRoom(rows);
    this.#end += rows;
    return this.view(this.#end - rows, this.#end);
  }

  /** The frames [from, to), which must be held; valid until the next `append`. */
  view(from: number, to: number): Float32Array {
    if (from < this.#start || to > this.#end)
      throw new Error(`Frames [${from}, ${to}) are not among [${this.#start}, ${this.#end}).`);
    const row = this.#row + from - this.#start;
    return this.#data.subarray(row * this.width, (row + to - from) * this.width);
  }

  /** Frames before this one are needed no more. */
  dropBefore(frame: number): void {
    const next = Math.min(Math.max(frame, this.#start), this.#end);
    this.#row += next - this.#start;
    this.#start = next;
  }

  #makeRoom(rows: number): void {
    const held = this.#end - this.#start;
    if ((this.#row + held + rows) * this.width <= this.#data.length) return;
    const kept = this.view(this.#start, this.#end);
    if ((held + rows) * this.width > this.#data.length) {
      // Room for another append before rows move.
      this.#data = new Float32Array((held + 2 * rows) * this.width);
      this.#data.set(kept);
    } else this.#data.copyWithin(0, this.#row * this.width, (this.#row + held) * this.width);
    this.#row = 0;
  }
}
