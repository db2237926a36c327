import { readFileSync } from 'node:fs';
import { crc32, deflateSync } from 'node:zlib';

/** A file of test/fixtures/images/. */
export function picture(name: string): Buffer {
  return readFileSync(new URL(`../../../test/fixtures/images/${name}`, import.meta.url));
}

/** An RGB PNG of 8 bits by its header; `lines` are the filtered rows, of which there may be too few. */
export function pngOf(size: { readonly width: number; readonly height: number }, lines: Uint8Array): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size.width, 0);
  header.writeUInt32BE(size.height, 4);
  header.set([8, 2], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(lines)),
    chunk('IEND', new Uint8Array()),
  ]);
}

function chunk(type: string, content: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(content.length, 0);
  ends.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}

/** An animation of 10 x 10 pixels whose frames each draw one. */
export function gifOf(frames: number): Buffer {
  const header = Buffer.from('GIF89a\x0a\0\x0a\0\x80\0\0\xff\0\0\0\0\xff', 'latin1');
  const frame = Buffer.from('!\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0', 'latin1');
  return Buffer.concat([header, ...Array<Buffer>(frames).fill(frame), Buffer.from(';')]);
}
