/** Everything a test may want to state about a WAVE file; lengths can lie. */
export interface WavFields {
  readonly sampleRate: number;
  readonly channels?: number;
  readonly encoding?: keyof typeof ENCODERS;
  /** Writes a WAVE_FORMAT_EXTENSIBLE header. */
  readonly extensible?: boolean;
  readonly claimedDataBytes?: number;
  readonly magic?: 'RIFF' | 'RF64';
}

type Encoder = { tag: number; bytes: number; write(target: Buffer, at: number, value: number): void };

const ENCODERS = {
  u8: { tag: 1, bytes: 1, write: (b, at, v) => b.writeUInt8(Math.round(v * 127) + 128, at) },
  s16: { tag: 1, bytes: 2, write: (b, at, v) => b.writeInt16LE(Math.round(v * 32767), at) },
  s24: { tag: 1, bytes: 3, write: (b, at, v) => b.writeIntLE(Math.round(v * 8388607), at, 3) },
  s32: { tag: 1, bytes: 4, write: (b, at, v) => b.writeInt32LE(Math.round(v * 2147483647), at) },
  f32: { tag: 3, bytes: 4, write: (b, at, v) => b.writeFloatLE(v, at) },
  f64: { tag: 3, bytes: 8, write: (b, at, v) => b.writeDoubleLE(v, at) },
} satisfies Record<string, Encoder>;

/** A WAVE file; `frames` holds the samples of all channels, interleaved. */
export function wavFile(frames: ArrayLike<number>, fields: WavFields): Buffer {
  const encoder: Encoder = ENCODERS[fields.encoding ?? 's16'];
  const data = Buffer.alloc(frames.length * encoder.bytes);
  for (let index = 0; index < frames.length; index += 1) {
    encoder.write(data, index * encoder.bytes, frames[index]!);
  }
  return wavBytes(data, { ...fields, tag: encoder.tag, bytesPerSample: encoder.bytes });
}

/** A WAVE file around bytes that are encoded already. */
export function wavBytes(data: Buffer, fields: WavFields & { tag: number; bytesPerSample: number }): Buffer {
  const { sampleRate, channels = 1, tag, bytesPerSample, extensible = false } = fields;
  const format = Buffer.alloc(extensible ? 40 : 16);
  format.writeUInt16LE(extensible ? 0xfffe : tag, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(sampleRate, 4);
  format.writeUInt32LE((sampleRate * channels * bytesPerSample) % 2 ** 32, 8);
  format.writeUInt16LE(channels * bytesPerSample, 12);
  format.writeUInt16LE(bytesPerSample * 8, 14);
  if (extensible) {
    format.writeUInt16LE(22, 16);
    format.writeUInt16LE(bytesPerSample * 8, 18);
    format.writeUInt16LE(tag, 24);
    format.write('000000001000800000aa00389b71', 26, 'hex');
  }
  const sizes = Buffer.alloc(28);
  sizes.writeBigUInt64LE(BigInt(data.length), 8);
  const isLong = fields.magic === 'RF64';
  const chunks = [
    ...(isLong ? [chunk('ds64', sizes)] : []),
    chunk('fmt ', format),
    chunk('JUNK', Buffer.from('odd')),
    chunk('data', data, isLong ? 0xffff_ffff : fields.claimedDataBytes),
  ];
  return Buffer.concat([chunk(fields.magic ?? 'RIFF', Buffer.from('WAVE')), ...chunks]);
}

/** `count` values of a sine at half of full scale. */
export function sine(frequency: number, sampleRate: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, index) => {
    return 0.5 * Math.sin((2 * Math.PI * frequency * index) / sampleRate);
  });
}

function chunk(id: string, content: Buffer, claimedBytes = content.length): Buffer {
  const head = Buffer.alloc(8);
  head.write(id, 'latin1');
  head.writeUInt32LE(claimedBytes, 4);
  return Buffer.concat([head, content, Buffer.alloc(content.length % 2)]);
}
