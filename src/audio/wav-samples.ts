/** How one sample of a WAVE file is stored; `integer` is unsigned for one byte and signed for more. */
export type WavEncoding = 'integer' | 'float' | 'a-law' | 'mu-law';

/** The value of the sample at a byte offset, full scale being -1 to 1. */
export type WavSampleReader = (bytes: Buffer, offset: number) => number;

export function wavSampleReader(encoding: WavEncoding, bytesPerSample: number): WavSampleReader {
  switch (encoding) {
    case 'integer':
      return integerReader(bytesPerSample);
    case 'float':
      return bytesPerSample === 4 ? (b, at) => b.readFloatLE(at) : (b, at) => b.readDoubleLE(at);
    case 'a-law': {
      const table = Float64Array.from({ length: 256 }, (_, code) => expandALaw(code));
      return (bytes, offset) => table[bytes[offset]!]!;
    }
    case 'mu-law': {
      const table = Float64Array.from({ length: 256 }, (_, code) => expandMuLaw(code));
      return (bytes, offset) => table[bytes[offset]!]!;
    }
    default:
      return encoding satisfies never;
  }
}

function integerReader(bytesPerSample: number): WavSampleReader {
  switch (bytesPerSample) {
    case 1:
      return (bytes, offset) => (bytes[offset]! - 128) / 2 ** 7;
    case 2:
      return (bytes, offset) => ((bytes[offset]! | (bytes[offset + 1]! << 8)) << 16) / 2 ** 31;
    case 3:
      return (bytes, offset) => bytes.readIntLE(offset, 3) / 2 ** 23;
    default:
      return (bytes, offset) => bytes.readInt32LE(offset) / 2 ** 31;
  }
}

/** ITU-T G.711, table 1: 13-bit values, scaled to 16 bits and then to 1. */
function expandALaw(code: number): number {
  const flipped = code ^ 0x55;
  const exponent = (flipped >> 4) & 7;
  const mantissa = flipped & 15;
  const magnitude = exponent === 0 ? mantissa * 16 + 8 : (mantissa * 16 + 264) << (exponent - 1);
  return (flipped & 0x80 ? magnitude : -magnitude) / 2 ** 15;
}

/** ITU-T G.711, table 2: 14-bit values, scaled to 16 bits and then to 1. */
function expandMuLaw(code: number): number {
  const flipped = ~code & 0xff;
  const magnitude = (((flipped & 15) * 8 + 132) << ((flipped >> 4) & 7)) - 132;
  return (flipped & 0x80 ? -magnitude : magnitude) / 2 ** 15;
}
