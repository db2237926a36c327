import assert from 'node:assert/strict';
import { truncate } from 'node:fs/promises';
import test, { type TestContext } from 'node:test';
import { AppError } from '../../src/base/errors.ts';
import { describeGguf } from '../../src/graphs/gguf-description.ts';
import { type GgufValue, readGgufMetadata } from '../../src/graphs/gguf-metadata.ts';
import * as gguf from '../support/gguf.ts';
import { temporaryFile } from '../support/temporary.ts';

async function read(t: TestContext, bytes: Buffer) {
  return readGgufMetadata(await temporaryFile(t, 'model.gguf', bytes));
}

for (const version of [2, 3]) {
  test(`every type of scalar is read from version ${version}`, async (t) => {
    const fields = [
      ['u8', gguf.u8(255)],
      ['i8', { type: 1, bytes: Buffer.of(0xff) }],
      ['u16', { type: 2, bytes: Buffer.of(1, 2) }],
      ['i16', { type: 3, bytes: Buffer.of(0xfe, 0xff) }],
      ['u32', gguf.u32(4_000_000_000)],
      ['i32', gguf.i32(-7)],
      ['f32', gguf.f32(0.6)],
      ['third', gguf.f32(1 / 3)],
      ['true', gguf.bool(true)],
      ['false', gguf.bool(false)],
      ['text', gguf.text('Grüße')],
      ['empty', gguf.text('')],
      ['u64', gguf.u64(5n)],
      ['large', gguf.u64(2n ** 63n)],
      ['i64', { type: 11, bytes: gguf.u64(2n ** 64n - 3n).bytes }],
      ['f64', gguf.f64(1e-5)],
    ] as const;
    assert.deepEqual(
      [...(await read(t, gguf.ggufFile(fields, { version })))],
      [
        ['u8', 255],
        ['i8', -1],
        ['u16', 513],
        ['i16', -2],
        ['u32', 4_000_000_000],
        ['i32', -7],
        ['f32', 0.6],
        ['third', 0.33333334],
        ['true', true],
        ['false', false],
        ['text', 'Grüße'],
        ['empty', ''],
        ['u64', 5],
        ['large', 2n ** 63n],
        ['i64', -3],
        ['f64', 1e-5],
      ],
    );
  });
}

test('short arrays of numbers are kept, and what is large or nested is passed over', async (t) => {
  const metadata = await read(
    t,
    gguf.ggufFile([
      ['heads', gguf.array([4, 4, 2].map(gguf.u32))],
      ['none', gguf.array([])],
      // Each longer than a block of the reader, so that its edges fall into strings, lengths and numbers.
      ['tokens', gguf.array(Array.from({ length: 60_000 }, (_, i) => gguf.text('x'.repeat(i % 23))))],
      ['scores', gguf.array(Array.from({ length: 100_001 }, (_, i) => gguf.f32(i)))],
      ['nested', gguf.array([gguf.array([gguf.text('a')]), gguf.array([gguf.u8(1), gguf.u8(2)])])],
      ['tokenizer.json', gguf.text('y'.repeat(3_000_000))],
      ['template', gguf.text('z'.repeat(500_000))],
      ['last', gguf.u32(1)],
    ]),
  );
  assert.deepEqual([...metadata.keys()], ['heads', 'none', 'template', 'last']);
  assert.deepEqual([metadata.get('heads'), metadata.get('none')], [[4, 4, 2], []]);
  assert.deepEqual([metadata.get('template'), metadata.get('last')], ['z'.repeat(500_000), 1]);
});

test('a model is described by the keys that it has', async (t) => {
  const fields = gguf.modelFields({ temp: gguf.f32(0.6), top_k: gguf.i32(20) });
  assert.deepEqual(describeGguf(await read(t, gguf.ggufFile(fields))), {
    name: 'Tiny',
    architecture: 'llama',
    quantization: 'Q4_K_M',
    contextTokens: 8192,
    chatTemplate: '{{ messages }}',
    sampling: new Map([
      ['temp', 0.6],
      ['top_k', 20],
    ]),
  });
});

test('what a file does not say, or says with a wrong type, is unknown', () => {
  const unknown = {
    name: undefined,
    architecture: undefined,
    quantization: undefined,
    contextTokens: undefined,
    chatTemplate: undefined,
    sampling: new Map(),
  };
  assert.deepEqual(describeGguf(new Map()), unknown);
  const wrong = new Map<string, GgufValue>([
    ['general.name', 5],
    ['general.architecture', ''],
    ['general.file_type', 99],
    ['tokenizer.chat_template', [1]],
    ['undefined.context_length', 8192],
  ]);
  assert.deepEqual(describeGguf(wrong), unknown);
});

test('quantisations have the names of llama.cpp', () => {
  const names = new Map([
    [0, 'F32'],
    [1, 'F16'],
    [3, 'Q4_1'],
    [7, 'Q8_0'],
    [10, 'Q2_K'],
    [14, 'Q4_K_S'],
    [18, 'Q6_K'],
    [19, 'IQ2_XXS'],
    [25, 'IQ4_NL'],
    [30, 'IQ4_XS'],
    [32, 'BF16'],
    [37, 'TQ2_0'],
    [38, 'MXFP4_MOE'],
    [41, 'Q2_0'],
  ]);
  for (const [number, name] of names)
    assert.equal(describeGguf(new Map([['general.file_type', number]])).quantization, name);
});

const LONG = 2n ** 60n;
/** A string or array that claims a length and has nothing. */
const claim = (length: bigint) => ({ type: 8, bytes: gguf.u64(length).bytes });
const claimedArray = (type: number, length: bigint) => ({
  type: 9,
  bytes: Buffer.concat([gguf.u32(type).bytes, gguf.u64(length).bytes]),
});
const nest = (depth: number): gguf.GgufField => gguf.array(depth === 1 ? [gguf.u8(1)] : [nest(depth - 1)]);

const HOSTILE: readonly { readonly name: string; readonly bytes: Buffer; readonly problem: RegExp }[] = [
  { name: 'an empty file', bytes: Buffer.alloc(0), problem: /ends at byte 0/ },
  { name: 'a header that is cut', bytes: gguf.ggufFile([]).subarray(0, 20), problem: /ends at byte 20/ },
  { name: 'another format', bytes: Buffer.alloc(64, 'PK'), problem: /does not begin with GGUF/ },
  { name: 'version 1', bytes: gguf.ggufFile([], { version: 1 }), problem: /version is 1/ },
  { name: 'version 4', bytes: gguf.ggufFile([], { version: 4 }), problem: /version is 4/ },
  { name: 'big-endian', bytes: gguf.ggufFile([], { version: 0x0300_0000 }), problem: /big-endian/ },
  { name: 'too many keys', bytes: gguf.ggufFile([], { keys: LONG }), problem: /claims \d+ keys/ },
  { name: 'fewer keys than claimed', bytes: gguf.ggufFile([], { keys: 3n }), problem: /goes on to byte 32/ },
  {
    name: 'a key of a gigabyte',
    bytes: Buffer.concat([gguf.ggufFile([], { keys: 1n }), gguf.u64(2n ** 30n).bytes]),
    problem: /key number 1 claims 1073741824 bytes/,
  },
  {
    name: 'a key twice',
    bytes: gguf.ggufFile([
      ['a', gguf.u8(1)],
      ['a', gguf.text('b')],
    ]),
    problem: /the key "a" twice/,
  },
  { name: 'a string past the end', bytes: gguf.ggufFile([['a', claim(100n)]]), problem: /goes on to byte/ },
  { name: 'an endless string', bytes: gguf.ggufFile([['a', claim(LONG)]]), problem: /goes on to byte/ },
  {
    name: 'endless numbers',
    bytes: gguf.ggufFile([['a', claimedArray(4, LONG)]]),
    problem: /goes on to byte/,
  },
  {
    name: 'endless strings',
    bytes: gguf.ggufFile([['a', claimedArray(8, LONG)]]),
    problem: /goes on to byte/,
  },
  {
    name: 'endless arrays',
    bytes: gguf.ggufFile([['a', claimedArray(9, LONG)]]),
    problem: /goes on to byte/,
  },
  { name: 'arrays in arrays', bytes: gguf.ggufFile([['a', nest(600)]]), problem: /more than 4 deep/ },
  {
    name: 'an unknown type',
    bytes: gguf.ggufFile([['a', { type: 13, bytes: Buffer.alloc(8) }]]),
    problem: /"a" is of type 13/,
  },
  {
    name: 'an array of an unknown type',
    bytes: gguf.ggufFile([['a', claimedArray(77, 0n)]]),
    problem: /elements of type 77/,
  },
  {
    name: 'a truth value of 2',
    bytes: gguf.ggufFile([['a', { type: 7, bytes: Buffer.of(2) }]]),
    problem: /neither true nor false/,
  },
];

for (const { name, bytes, problem } of HOSTILE) {
  test(`${name} is refused with what is wrong`, async (t) => {
    await assert.rejects(read(t, bytes), (error) => {
      assert.ok(error instanceof AppError);
      assert.equal(error.code, 'unsupported_model');
      assert.match(error.message, problem);
      return true;
    });
  });
}

test('metadata without end is refused before a gigabyte of it is read', async (t) => {
  const start = gguf.ggufFile([['a', claimedArray(8, LONG)]]);
  const path = await temporaryFile(t, 'model.gguf', start);
  // A hole: empty strings without number, and no space on the disk.
  await truncate(path, 4 * 2 ** 30);
  await assert.rejects(readGgufMetadata(path), /larger than 67108864 bytes/);
});
