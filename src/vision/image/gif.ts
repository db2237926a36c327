/** What a GIF's decoder leaves open: the colour where its first frame draws nothing. */
import type { Samples } from './libvips.ts';

/**
 * RGB of the first frame's RGBA. Its transparent pixels, and the screen around it, get the colour that Pillow gives them: that of the
 * transparent index, or the first one of the palette.
 */
export function fillFirstFrame(bytes: Uint8Array, { width, height, data }: Samples): Uint8Array<ArrayBuffer> {
  const { colour, left, top, right, bottom } = firstFrameOf(bytes);
  const result = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0, to = 0; y < height; y += 1) {
    const isRowInside = y >= top && y < bottom;
    for (let x = 0; x < width; x += 1, at += 4, to += 3) {
      const isDrawn = isRowInside && x >= left && x < right && data[at + 3] !== 0;
      result[to] = isDrawn ? data[at]! : colour[0];
      result[to + 1] = isDrawn ? data[at + 1]! : colour[1];
      result[to + 2] = isDrawn ? data[at + 2]! : colour[2];
    }
  }
  return result;
}

interface FirstFrame {
  readonly colour: readonly [number, number, number];
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const HEADER_BYTES = 13;
const EXTENSION = 0x21;
const GRAPHIC_CONTROL = 0xf9;

/** Of a file that has been decoded: what is missing counts as zero, and nothing is checked again. */
function firstFrameOf(bytes: Uint8Array): FirstFrame {
  const at = (place: number) => bytes[place] ?? 0;
  const pair = (place: number) => at(place) + at(place + 1) * 256;
  let place = HEADER_BYTES + paletteBytes(at(10));
  let index = 0;
  while (at(place) === EXTENSION) {
    if (at(place + 1) === GRAPHIC_CONTROL && (at(place + 3) & 1) === 1) index = at(place + 6);
    place += 2;
    while (at(place) !== 0) place += at(place) + 1;
    place += 1;
  }
  const palette = paletteBytes(at(place + 9)) > 0 ? place + 10 : HEADER_BYTES;
  const entry = palette + index * 3;
  const [left, top] = [pair(place + 1), pair(place + 3)];
  return {
    colour: [at(entry), at(entry + 1), at(entry + 2)],
    left,
    top,
    right: left + pair(place + 5),
    bottom: top + pair(place + 7),
  };
}

/** By the flags of the screen or of a frame. */
function paletteBytes(flags: number): number {
  return flags & 0x80 ? 3 << ((flags & 7) + 1) : 0;
}
