import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { AppError } from '../base/errors.ts';

/** Named float32 tensors of a checkpoint, read from disk one at a time: a checkpoint may be larger than memory allows twice. */
export interface Weights {
  has(name: string): boolean;
  /** Row-major lengths. Throws `unsupported_model` when the name is not there. */
  dims(name: string): readonly number[];
  /** The tensor as float32, whatever it is stored as. Throws `unsupported_model`. */
  read(name: string): Float32Array;
  close(): void;
}

/** How many layers there are, numbered from 0 without a gap. */
export function countLayers(exists: (layer: number) => boolean): number {
  let count = 0;
  while (exists(count)) count += 1;
  return count;
}

/** Where a tensor lies in its file. */
export interface TensorEntry {
  readonly dims: readonly number[];
  readonly offset: number;
  readonly sizeBytes: number;
}

/** A file read by position; every read is checked against its end. */
export class PositionedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #descriptor: number;

  constructor(path: string) {
    this.path = path;
    this.#descriptor = openSync(path, 'r');
    this.sizeBytes = fstatSync(this.#descriptor).size;
  }

  /** Throws `unsupported_model` when the range passes the end of the file. */
  read(offset: number, sizeBytes: number): Buffer {
    if (offset + sizeBytes > this.sizeBytes) {
      throw new AppError(
        'unsupported_model',
        `${this.path} ends at byte ${this.sizeBytes}, but its header points to byte ${offset + sizeBytes}: the file is cut or not what it claims to be. Remove the model and pull it again.`,
      );
    }
    // A fresh buffer, so that typed arrays over it are aligned.
    const bytes = Buffer.from(new ArrayBuffer(sizeBytes));
    let done = 0;
    while (done < sizeBytes) {
      const count = readSync(this.#descriptor, bytes, done, sizeBytes - done, offset + done);
      if (count === 0)
        throw new AppError('unsupported_model', `${this.path} became shorter while it was read.`);
      done += count;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

export function missingTensor(path: string, name: string): AppError {
  return new AppError(
    'unsupported_model',
    `${path} has no tensor "${name}": it is not a checkpoint of the expected model.`,
  );
}
