/** Writes safetensors (https://github.com/huggingface/safetensors#format): u64 header length, JSON header, the bytes of the tensors. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

export interface NamedTensor {
  readonly name: string;
  /** Row-major. */
  readonly dims: readonly number[];
  /** Called once, when its turn comes, so that not all need memory at once. */
  read(): Float32Array;
}

/** Tensors begin at multiples of this, so that they can be mapped; the header is padded with spaces. */
const ALIGNMENT_BYTES = 8;

/** Writes float32 tensors. The caller owns the directory and its atomicity. */
export async function writeSafetensors(path: string, tensors: readonly NamedTensor[]): Promise<void> {
  const file = createWriteStream(path);
  const done = finished(file);
  // A failed write is thrown where it is waited for.
  done.catch(() => {});
  file.write(headerOf(tensors));
  for (const { name, dims, read } of tensors) {
    const data = read();
    if (data.length !== lengthOf(dims))
      throw new Error(`${name} has ${data.length} values for [${dims.join()}].`);
    if (!file.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))) await once(file, 'drain');
  }
  file.end();
  await done;
}

function headerOf(tensors: readonly NamedTensor[]): Buffer {
  let offset = 0;
  const entries = tensors.map(({ name, dims }) => {
    const start = offset;
    offset += lengthOf(dims) * Float32Array.BYTES_PER_ELEMENT;
    return [name, { dtype: 'F32', shape: dims, data_offsets: [start, offset] }] as const;
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const padding = (ALIGNMENT_BYTES - (json.length % ALIGNMENT_BYTES)) % ALIGNMENT_BYTES;
  const header = Buffer.concat([Buffer.alloc(8), json, Buffer.alloc(padding, ' ')]);
  header.writeBigUInt64LE(BigInt(json.length + padding));
  return header;
}

function lengthOf(dims: readonly number[]): number {
  return dims.reduce((product, length) => product * length, 1);
}
