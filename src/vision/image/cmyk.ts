/** Inks to light by Pillow's formula (src/libImaging/Convert.c: `cmyk2rgb`), without any profile. `channels` counts a possible alpha. */
export function cmykToRgb(data: Uint8Array, channels: number): Uint8Array<ArrayBuffer> {
  const pixels = data.length / channels;
  const light = new Uint8Array(pixels * 3);
  for (let pixel = 0, at = 0, to = 0; pixel < pixels; pixel += 1, at += channels, to += 3) {
    const white = 255 - data[at + 3]!;
    light[to] = white - product(data[at]!, white);
    light[to + 1] = white - product(data[at + 1]!, white);
    light[to + 2] = white - product(data[at + 2]!, white);
  }
  return light;
}

/** Of two fractions of 255, rounded. Never more than either, so that nothing falls below zero. */
function product(a: number, b: number): number {
  const doubled = a * b + 128;
  return ((doubled >> 8) + doubled) >> 8;
}
