import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { crc32 } from 'node:zlib';
import { AppError } from '../../src/base/errors.ts';
import { openPytorchWeights } from '../../src/graphs/pytorch-weights.ts';
import { CHECKPOINT } from '../speech/chunkformer/golden.ts';
import { zip } from '../store/zip.ts';
import { temporaryFile } from '../support/temporary.ts';

/** Members as they are, as PyTorch stores them. */
function storedZip(members: Readonly<Record<string, Uint8Array>>): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(members)) {
    const fields = Buffer.alloc(26);
    fields.writeUInt32LE(crc32(content), 10);
    fields.writeUInt32LE(content.length, 14);
    fields.writeUInt32LE(content.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    local.push(Buffer.from('PK\x03\x04', 'latin1'), fields, Buffer.from(name), Buffer.from(content));
    central.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, place, Buffer.from(name));
    offset += 30 + name.length + content.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...local, directory, end]);
}

// The instructions of a pickle, written by hand.
const text = (value: string) => {
  const bytes = Buffer.from(value);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bytes.length);
  return Buffer.concat([Buffer.from('X'), size, bytes]);
};
const number = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return Buffer.concat([Buffer.from('J'), bytes]);
};
const global = (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`);
const tuple = (...items: Buffer[]) => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]);
const dict = (items: Readonly<Record<string, Buffer>>) =>
  Buffer.concat([
    Buffer.from('}('),
    ...Object.entries(items).flatMap(([name, value]) => [text(name), value]),
    Buffer.from('u'),
  ]);
const pickle = (value: Buffer) => Buffer.concat([Buffer.from('\x80\x02', 'latin1'), value, Buffer.from('.')]);

interface View {
  readonly type?: string;
  readonly key?: string;
  readonly offset?: number;
  readonly dims: readonly number[];
  readonly strides: readonly number[];
}

function tensor({ type = 'FloatStorage', key = '0', offset = 0, dims, strides }: View): Buffer {
  const storage = tuple(text('storage'), global('torch', type), text(key), text('cpu'), number(0));
  const args = [Buffer.concat([storage, Buffer.from('Q')]), number(offset)];
  args.push(tuple(...dims.map(number)), tuple(...strides.map(number)), Buffer.from('\x89', 'latin1'));
  args.push(Buffer.concat([global('collections', 'OrderedDict'), Buffer.from(')R')]));
  return Buffer.concat([global('torch._utils', '_rebuild_tensor_v2'), tuple(...args), Buffer.from('R')]);
}

function checkpoint(
  items: Readonly<Record<string, Buffer>>,
  storages: Readonly<Record<string, Uint8Array>>,
): Buffer {
  const data = Object.entries(storages).map(([key, bytes]) => [`model/data/${key}`, bytes]);
  return storedZip({ 'model/data.pkl': pickle(dict(items)), ...Object.fromEntries(data) });
}

const bytesOf = (values: ArrayBufferView) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

test('tensors come as float32 in rows, whatever they are stored as and in what order', async (t) => {
  const file = checkpoint(
    {
      whole: tensor({ dims: [2, 3], strides: [3, 1] }),
      turned: tensor({ dims: [3, 2], strides: [1, 3] }),
      part: tensor({ offset: 4, dims: [2], strides: [1] }),
      scalar: tensor({ offset: 5, dims: [], strides: [] }),
      half: tensor({ type: 'HalfStorage', key: '1', dims: [2], strides: [1] }),
      long: tensor({ type: 'LongStorage', key: '2', dims: [1], strides: [1] }),
      double: tensor({ type: 'DoubleStorage', key: '3', dims: [1], strides: [1] }),
      brain: tensor({ type: 'BFloat16Storage', key: '4', dims: [1], strides: [1] }),
      remark: text('not a tensor'),
    },
    {
      0: bytesOf(Float32Array.of(1, 2, 3, 4, 5, 6)),
      1: bytesOf(Uint16Array.of(0x3c00, 0xc000)),
      2: bytesOf(BigInt64Array.of(-7n)),
      3: bytesOf(Float64Array.of(0.25)),
      4: bytesOf(Uint16Array.of(0x3fc0)),
    },
  );
  const weights = openPytorchWeights(await temporaryFile(t, 'model.pt', file));
  t.after(() => weights.close());
  assert.deepEqual([...weights.read('whole')], [1, 2, 3, 4, 5, 6]);
  assert.deepEqual([...weights.read('turned')], [1, 4, 2, 5, 3, 6]);
  assert.deepEqual(weights.dims('turned'), [3, 2]);
  assert.deepEqual([...weights.read('part')], [5, 6]);
  assert.deepEqual([...weights.read('scalar')], [6]);
  assert.deepEqual([...weights.read('half')], [1, -2]);
  assert.deepEqual([...weights.read('long')], [-7]);
  assert.deepEqual([...weights.read('double')], [0.25]);
  assert.deepEqual([...weights.read('brain')], [1.5]);
  assert.equal(weights.has('remark'), false);
  assert.throws(() => weights.read('absent'), { code: 'unsupported_model', message: /no tensor "absent"/ });
});

test('a checkpoint that PyTorch has written is read', () => {
  const weights = openPytorchWeights(join(CHECKPOINT, 'pytorch_model.pt'));
  assert.deepEqual(weights.dims('encoder.encoders.2.conv_module.depthwise_conv.weight'), [24, 1, 15]);
  assert.ok(weights.read('ctc.ctc_lo.bias').every(Number.isFinite));
  weights.close();
});

/** os.system('touch FILE') as an attack would write it: one call of a global. */
const ATTACK = Buffer.concat([global('posix', 'system'), tuple(text('touch stolen')), Buffer.from('R')]);

const HOSTILE: readonly (readonly [name: string, file: () => Buffer, message: RegExp])[] = [
  ['a pickle that would run a command', () => checkpoint({ w: ATTACK }, {}), /Python's "posix\.system"/],
  [
    'a pickle that would import a module of its own',
    () => checkpoint({ w: global('numpy.core.multiarray', '_reconstruct') }, {}),
    /"numpy\.core\.multiarray\._reconstruct"/,
  ],
  [
    'a pickle with an instruction that makes objects',
    () => storedZip({ 'model/data.pkl': Buffer.from('\x80\x02}\x81.', 'latin1') }),
    /instruction 0x81/,
  ],
  [
    'a pickle that breaks off',
    () => storedZip({ 'model/data.pkl': Buffer.from('\x80\x02X\xff\xff\xff\x7f', 'latin1') }),
    /breaks off/,
  ],
  [
    'a pickle without an end',
    () => storedZip({ 'model/data.pkl': Buffer.from('\x80\x02}', 'latin1') }),
    /breaks off/,
  ],
  ['a pickle that ends with nothing', () => storedZip({ 'model/data.pkl': Buffer.from('.') }), /damaged/],
  ['a pickle of something else', () => storedZip({ 'model/data.pkl': pickle(number(1)) }), /no state_dict/],
  ['an empty state_dict', () => checkpoint({}, {}), /holds no tensors/],
  ['a zip file without a pickle', () => storedZip({ 'model/readme': Buffer.from('hello') }), /no data\.pkl/],
  ['packed members', () => zip({ 'model/data.pkl': pickle(dict({})) }), /packed/],
  ['a text', () => Buffer.from('not weights'), /no directory/],
  ['an empty file', () => Buffer.alloc(0), /no directory/],
  [
    'a tensor that would be larger than its bytes',
    () => checkpoint({ w: tensor({ dims: [1_000_000], strides: [1] }) }, { 0: bytesOf(Float32Array.of(1)) }),
    /does not fit/,
  ],
  [
    'a tensor that repeats one value a billion times',
    () =>
      checkpoint({ w: tensor({ dims: [1_000_000_000], strides: [0] }) }, { 0: bytesOf(Float32Array.of(1)) }),
    /does not fit/,
  ],
  [
    'a tensor before the beginning',
    () =>
      checkpoint({ w: tensor({ offset: -4, dims: [1], strides: [1] }) }, { 0: bytesOf(Float32Array.of(1)) }),
    /impossible form/,
  ],
  [
    'a tensor without bytes',
    () => checkpoint({ w: tensor({ dims: [1], strides: [1] }) }, {}),
    /bytes of w are missing/,
  ],
];

for (const [name, file, message] of HOSTILE) {
  test(`${name} is refused`, async (t) => {
    const path = await temporaryFile(t, 'model.pt', file());
    assert.throws(() => readFirst(path), { code: 'unsupported_model', message });
  });
}

test('a real checkpoint is refused wherever it is cut', async (t) => {
  const whole = await readFile(join(CHECKPOINT, 'pytorch_model.pt'));
  const path = await temporaryFile(t, 'model.pt', whole);
  for (const size of [10, 100, 19_000, whole.length >> 1, whole.length - 100, whole.length - 1]) {
    await writeFile(path, whole.subarray(0, size));
    assert.throws(() => readFirst(path), { code: 'unsupported_model' }, `${size} bytes`);
  }
});

test('a real checkpoint with any byte of its names changed is read or refused, and nothing else', async (t) => {
  const whole = await readFile(join(CHECKPOINT, 'pytorch_model.pt'));
  const path = await temporaryFile(t, 'model.pt', whole);
  for (let at = 64; at < 19_000; at += 97) {
    const changed = Buffer.from(whole);
    changed[at] = changed[at]! ^ 0x55;
    await writeFile(path, changed);
    try {
      readFirst(path);
    } catch (error) {
      assert.ok(
        error instanceof AppError && error.code === 'unsupported_model',
        `byte ${at}: ${String(error)}`,
      );
    }
  }
});

function readFirst(path: string): Float32Array {
  const weights = openPytorchWeights(path);
  try {
    return weights.read(weights.has('w') ? 'w' : 'ctc.ctc_lo.bias');
  } finally {
    weights.close();
  }
}
