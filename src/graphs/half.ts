/** IEEE 754 half precision and bfloat16 to float32. */

/** Every half-precision value by its bits; made at first use (256 KiB). */
let halves: Float32Array | undefined;

export function halfToFloat32(bits: Uint16Array): Float32Array {
  halves ??= Float32Array.from({ length: 0x10000 }, (_, value) => decodeHalf(value));
  const floats = new Float32Array(bits.length);
  for (let index = 0; index < bits.length; index += 1) floats[index] = halves[bits[index]!]!;
  return floats;
}

export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let index = 0; index < bits.length; index += 1) words[index] = bits[index]! << 16;
  return new Float32Array(words.buffer);
}

function decodeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
