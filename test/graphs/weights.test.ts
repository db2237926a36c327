import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { AppError } from '../../src/base/errors.ts';
import { openCtranslate2Weights } from '../../src/graphs/ctranslate2-weights.ts';
import { openSafetensorsWeights } from '../../src/graphs/safetensors-weights.ts';

function withDirectory(work: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'percept-weights-'));
  try {
    work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

interface Variable {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: number;
  readonly data: ArrayBufferView;
}

function ctranslate2File(variables: readonly Variable[], specification = 'WhisperSpec'): Buffer {
  const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
  const string = (text: string) => {
    const bytes = Buffer.from(`${text}\0`);
    return Buffer.concat([Buffer.from(Uint16Array.of(bytes.length).buffer), bytes]);
  };
  const body = variables.flatMap(({ name, dims, type, data }) => {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    return [
      string(name),
      Buffer.of(dims.length),
      ...dims.map(u32),
      Buffer.of(type),
      u32(bytes.length),
      bytes,
    ];
  });
  return Buffer.concat([
    u32(6),
    string(specification),
    u32(3),
    u32(variables.length),
    ...body,
    u32(1),
    string('alias'),
    string('f32'),
  ]);
}

test('tensors of a CTranslate2 file come as float32, whatever they are stored as', () => {
  withDirectory((directory) => {
    const path = join(directory, 'model.bin');
    // 1, -2, 0.5 and the smallest half; 1.5 as bfloat16; rows of int8 with one factor each.
    const variables: Variable[] = [
      { name: 'f32', dims: [2], type: 0, data: Float32Array.of(1.25, -3) },
      { name: 'f16', dims: [4], type: 4, data: Uint16Array.of(0x3c00, 0xc000, 0x3800, 0x0001) },
      { name: 'bf16', dims: [1], type: 5, data: Uint16Array.of(0x3fc0) },
      { name: 'i8', dims: [2, 2], type: 1, data: Int8Array.of(10, -20, 30, 40) },
      { name: 'i8_scale', dims: [2], type: 0, data: Float32Array.of(10, 20) },
      { name: 'scalar', dims: [], type: 2, data: Int16Array.of(8) },
    ];
    writeFileSync(path, ctranslate2File(variables));
    const weights = openCtranslate2Weights(path, 'WhisperSpec');
    assert.deepEqual([...weights.read('f32')], [1.25, -3]);
    assert.deepEqual([...weights.read('f16')], [1, -2, 0.5, 2 ** -24]);
    assert.deepEqual([...weights.read('bf16')], [1.5]);
    assert.deepEqual([...weights.read('i8')], [1, -2, 1.5, 2]);
    assert.deepEqual([...weights.read('scalar')], [8]);
    assert.deepEqual([...weights.read('alias')], [1.25, -3]);
    assert.deepEqual(weights.dims('i8'), [2, 2]);
    assert.throws(() => weights.read('absent'), isUnsupported(/no tensor "absent"/));
    weights.close();
  });
});

test('a file that is no CTranslate2 model of the wanted kind is refused', () => {
  withDirectory((directory) => {
    const path = join(directory, 'model.bin');
    const refuses = (bytes: Buffer, message: RegExp) => {
      writeFileSync(path, bytes);
      assert.throws(() => openCtranslate2Weights(path, 'WhisperSpec'), isUnsupported(message));
    };
    refuses(Buffer.from('hello, this is not a model'), /not a CTranslate2/);
    refuses(ctranslate2File([], 'TransformerSpec'), /TransformerSpec/);
    refuses(Buffer.of(6, 0), /ends at byte 2/);
  });
});

test('a cut CTranslate2 file is refused before its weights are used', () => {
  withDirectory((directory) => {
    const path = join(directory, 'model.bin');
    const whole = ctranslate2File([{ name: 'f32', dims: [100], type: 0, data: new Float32Array(100) }]);
    writeFileSync(path, whole.subarray(0, 200));
    assert.throws(() => openCtranslate2Weights(path, 'WhisperSpec'), isUnsupported(/ends at byte 200/));
  });
});

function safetensorsFile(header: unknown, data: Buffer): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  return Buffer.concat([Buffer.from(BigUint64Array.of(BigInt(json.length)).buffer), json, data]);
}

test('tensors of safetensors come as float32, from one file or from shards', () => {
  withDirectory((directory) => {
    const one = {
      a: { dtype: 'F32', shape: [1], data_offsets: [0, 4] },
      b: { dtype: 'BF16', shape: [1], data_offsets: [4, 6] },
    };
    const data = Buffer.concat([
      Buffer.from(Float32Array.of(2.5).buffer),
      Buffer.from(Uint16Array.of(0x3fc0).buffer),
    ]);
    writeFileSync(join(directory, 'model.safetensors'), safetensorsFile({ __metadata__: {}, ...one }, data));
    const single = openSafetensorsWeights(directory);
    assert.deepEqual([...single.read('a'), ...single.read('b')], [2.5, 1.5]);
    single.close();

    const half = { c: { dtype: 'F16', shape: [1], data_offsets: [0, 2] } };
    writeFileSync(
      join(directory, 'x-2.safetensors'),
      safetensorsFile(half, Buffer.from(Uint16Array.of(0x3800).buffer)),
    );
    const index = { weight_map: { a: 'model.safetensors', c: 'x-2.safetensors' } };
    writeFileSync(join(directory, 'model.safetensors.index.json'), JSON.stringify(index));
    const sharded = openSafetensorsWeights(directory);
    assert.deepEqual([...sharded.read('a'), ...sharded.read('c')], [2.5, 0.5]);
    sharded.close();
  });
});

test('an index that names a file elsewhere is refused', () => {
  withDirectory((directory) => {
    writeFileSync(
      join(directory, 'model.safetensors.index.json'),
      JSON.stringify({ weight_map: { a: '../../etc/passwd' } }),
    );
    assert.throws(() => openSafetensorsWeights(directory), isUnsupported(/names a file/));
  });
});

test('a file whose header lies about its length is refused', () => {
  withDirectory((directory) => {
    writeFileSync(join(directory, 'model.safetensors'), Buffer.alloc(64, 0x7f));
    assert.throws(() => openSafetensorsWeights(directory), isUnsupported(/claims/));
    const outside = { a: { dtype: 'F32', shape: [100], data_offsets: [0, 400] } };
    writeFileSync(join(directory, 'model.safetensors'), safetensorsFile(outside, Buffer.alloc(4)));
    assert.throws(() => openSafetensorsWeights(directory).read('a'), isUnsupported(/cut/));
  });
});

function isUnsupported(message: RegExp) {
  return (error: unknown) =>
    error instanceof AppError && error.code === 'unsupported_model' && message.test(error.message);
}
