import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { type Hef, readHef } from '../../../src/backends/hailo/hef.ts';
import { bytesField, floatField, message, varintField } from '../../../src/graphs/protobuf.ts';
import { describe, HEF_ARCHITECTURES, withHeader, writeHef } from '../../support/hef.ts';
import { noise } from '../../support/noise.ts';
import { temporaryFile, temporaryFolder } from '../../support/temporary.ts';

const DECODER = {
  name: 'base-whisper-decoder',
  inputs: [
    { name: 'decoder/input_layer1', shape: [1, 500, 384], zeroPoint: 128, scale: 0.0625 },
    { name: 'decoder/input_layer2', shape: [32, 1, 384], dataBytes: 2 },
  ],
  outputs: [
    { name: 'decoder/conv49', shape: [1, 32, 12966] },
    { name: 'decoder/conv48', shape: [1, 1, 640], zeroPoint: 144, scale: 0.5 },
  ],
} as const;

const read = async (t: TestContext, bytes: Uint8Array, checksum = false): Promise<Hef> =>
  readHef(await temporaryFile(t, 'model.hef', bytes), { checksum });

test('a HEF says its chip, its compiler, and what its networks take and give', async (t) => {
  const hef = await read(t, writeHef({ groups: [DECODER], architecture: 'HAILO8L', sdkVersion: '3.31.0' }));
  assert.deepEqual(
    [hef.version, hef.chip, hef.chipName, hef.sdkVersion, hef.groups.length],
    [1, 3, 'hailo8l', '3.31.0', 1],
  );
  const { name, inputs, outputs } = hef.groups[0]!;
  assert.equal(name, 'base-whisper-decoder');
  assert.deepEqual(inputs, [
    {
      name: 'decoder/input_layer1',
      shape: { height: 1, width: 500, features: 384 },
      order: 'NHWC',
      dataBytes: 1,
      zeroPoint: 128,
      scale: 0.0625,
    },
    {
      name: 'decoder/input_layer2',
      shape: { height: 32, width: 1, features: 384 },
      order: 'NHWC',
      dataBytes: 2,
      zeroPoint: 0,
      scale: 1,
    },
  ]);
  assert.deepEqual(
    outputs.map((output) => [output.name, output.order, output.zeroPoint, output.scale]),
    [
      ['decoder/conv49', 'NHWC', 0, 1],
      ['decoder/conv48', 'NC', 144, 0.5],
    ],
  );
});

test('the checksum is told where it can be computed, and only when it is asked for', async (t) => {
  const bytes = writeHef({ groups: [DECODER] });
  assert.deepEqual((await read(t, bytes)).checksum, { algorithm: 'crc32', verdict: 'not checked' });
  assert.equal((await read(t, bytes, true)).checksum.verdict, 'matches');
  bytes[bytes.length - 3]! ^= 1;
  assert.equal((await read(t, bytes)).checksum.verdict, 'not checked');
  assert.equal((await read(t, bytes, true)).checksum.verdict, 'differs');
});

test('every version of the header is read', async (t) => {
  const description = Buffer.from(describe({ groups: [DECODER] }));
  const rest = Buffer.from('configuration of the chip');
  const header = (version: number, sizeBytes: number) => {
    const bytes = Buffer.alloc(sizeBytes);
    bytes.writeUInt32BE(0x01484546, 0);
    bytes.writeUInt32BE(version, 4);
    bytes.writeUInt32BE(description.length, 8);
    return bytes;
  };
  const [first, third, fourth] = [header(0, 32), header(2, 44), header(3, 56)];
  createHash('md5').update(description).digest().copy(first, 16);
  third.writeBigUInt64BE(BigInt(rest.length), 20);
  fourth.writeBigUInt64BE(BigInt(rest.length - 5), 20);
  fourth.writeBigUInt64BE(5n, 32);
  const files = [
    [Buffer.concat([first, description]), 'md5', 'matches'],
    [Buffer.concat([third, description, rest]), 'xxh3', 'not checked'],
    [Buffer.concat([fourth, description, rest]), 'xxh3', 'not checked'],
  ] as const;
  for (const [bytes, algorithm, verdict] of files) {
    const hef = await read(t, bytes, true);
    assert.deepEqual(hef.checksum, { algorithm, verdict });
    assert.equal(hef.groups[0]!.outputs.length, 2);
  }
});

test('layers are found in a core operation, in a layout, and where they are joined from others', async (t) => {
  const base = message([varintField(1, 4), varintField(3, 3), varintField(5, 2), varintField(12, 1)]);
  const layer = (name: string, more: Uint8Array[] = []) =>
    message([bytesField(1, name), bytesField(2, base), ...more]);
  const joined = message([
    bytesField(1, 'joined'),
    bytesField(5, message([bytesField(1, layer('first'))])),
    bytesField(5, message([bytesField(1, layer('second', [varintField(6, 1)]))])),
  ]);
  const between = bytesField(5, message([varintField(3, 1)]));
  const context = bytesField(
    3,
    message([
      bytesField(2, message([bytesField(3, layer('in'))])),
      bytesField(2, message([bytesField(3, layer('between contexts')), between])),
      bytesField(2, message([varintField(1, 1), bytesField(4, joined)])),
    ]),
  );
  const core = message([bytesField(3, context), bytesField(4, 'second'), bytesField(4, 'first')]);
  const named = bytesField(1, message([bytesField(1, 'net')]));
  const inOperation = message([bytesField(8, message([bytesField(4, core)])), bytesField(10, 'net')]);
  const inLayout = message([named, bytesField(7, message([bytesField(1, core)]))]);
  const namedInLayout = message([bytesField(7, message([bytesField(1, message([named, core]))]))]);
  for (const group of [inOperation, inLayout, namedInLayout]) {
    const file = withHeader(message([bytesField(2, group)]), new Uint8Array(0));
    const [found] = (await read(t, file)).groups;
    assert.equal(found!.name, 'net');
    assert.deepEqual(
      found!.inputs.map(({ name }) => name),
      ['in'],
    );
    assert.deepEqual(
      found!.outputs.map(({ name, shape }) => [name, shape.height, shape.width]),
      [
        ['second', 3, 4],
        ['first', 4, 3],
      ],
    );
  }
});

test('what is no HEF, cut off, or larger than it says is refused', async (t) => {
  const bytes = writeHef({ groups: [DECODER] });
  const folder = await temporaryFolder(t);
  const path = join(folder, 'model.hef');
  const refusals: [Uint8Array, RegExp][] = [
    [Buffer.alloc(0), /has 0 bytes/],
    [bytes.subarray(0, 20), /has 20 bytes/],
    [Buffer.alloc(500, 7), /does not begin as one/],
    [bytes.subarray(0, bytes.length - 1), /its header says \d+; copy it again/],
    [Buffer.concat([bytes, Buffer.from([0])]), /its header says/],
    [withHeader(Buffer.alloc(0), Buffer.alloc(0)), /describes no network/],
    [withHeader(withoutLayouts(), Buffer.alloc(0)), /described by layouts, and it has none/],
    [withHeader(Buffer.alloc(64, 0xff), Buffer.alloc(0)), /description is damaged/],
  ];
  const later = Buffer.from(bytes);
  later.writeUInt32BE(4, 4);
  refusals.push([later, /has version 4; 0 to 3 are known/]);
  for (const [content, why] of refusals) {
    await writeFile(path, content);
    const error = {
      code: 'unsupported_model',
      message: new RegExp(`model\\.hef is not a HEF.*${why.source}`),
    };
    await assert.rejects(readHef(path), error);
  }
  await assert.rejects(readHef(folder), { code: 'unsupported_model' });
  await assert.rejects(readHef(join(folder, 'none')), {
    code: 'unsupported_model',
    message: /cannot be opened/,
  });
  await assert.rejects(readHef(path, { signal: AbortSignal.abort() }), { code: 'cancelled' });
});

test('a header that claims gigabytes is believed as far as the file goes', async (t) => {
  const path = await temporaryFile(t, 'model.hef', Buffer.alloc(28));
  const header = Buffer.alloc(28);
  header.writeUInt32BE(0x01484546, 0);
  header.writeUInt32BE(1, 4);
  header.writeUInt32BE(0xf0000000, 8);
  await writeFile(path, header);
  await assert.rejects(readHef(path), { code: 'unsupported_model', message: /copy it again/ });
  // A file with a hole: as large as it says, without taking the room.
  await truncate(path, 28 + 0xf0000000);
  const before = process.memoryUsage().arrayBuffers;
  await assert.rejects(readHef(path), {
    code: 'unsupported_model',
    message: /description has 4026531840 bytes/,
  });
  assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
});

test('what repeats or nests without end is refused', async (t) => {
  const group = (content: Uint8Array) => withHeader(message([bytesField(2, content)]), new Uint8Array(0));
  const context = (edge: Uint8Array) =>
    message([bytesField(3, message([bytesField(3, message([bytesField(2, edge)]))]))]);
  let nested = message([bytesField(1, message([bytesField(1, 'deep')]))]);
  for (let depth = 0; depth < 20; depth += 1)
    nested = message([bytesField(2, message([bytesField(5, nested)]))]);
  const many = (count: number, one: Uint8Array) => message(Array.from({ length: count }, () => one));
  const edges = many(2000, bytesField(2, message([bytesField(3, message([]))])));
  const base = message([bytesField(2, message([varintField(1, 2 ** 40)]))]);
  const hostile: [Uint8Array, RegExp][] = [
    [group(context(message([bytesField(4, message([bytesField(5, nested)]))]))), /nested too deep/],
    [group(message([bytesField(3, message([bytesField(3, edges)]))])), /more than 1024 layers/],
    [withHeader(many(100, bytesField(2, message([]))), new Uint8Array(0)), /more than 64 times/],
    [group(context(message([bytesField(3, base)]))), /dimension of 1099511627776/],
    [group(message([bytesField(10, 'x'.repeat(300))])), /longer than 256 bytes/],
    [group(message([bytesField(10, 'clear\u001b[2J')])), /control characters/],
    [group(message([floatField(31, 1), new Uint8Array([0x0b])])), /description is damaged/],
  ];
  for (const [bytes, message] of hostile)
    await assert.rejects(read(t, bytes), { code: 'unsupported_model', message });
});

test('no damage of a real layout crashes or hangs the reader', async (t) => {
  const path = await temporaryFile(t, 'model.hef', Buffer.alloc(0));
  const bytes = Buffer.from(describe({ groups: [DECODER] }));
  const numbers = noise(400 * 7, 7).map((value) => (value + 1) / 2);
  let at = 0;
  const below = (end: number) => Math.floor(numbers[at++]! * end);
  for (let round = 0; round < 400; round += 1) {
    const damaged = Buffer.from(bytes);
    for (let change = 0; change < 3; change += 1) damaged[below(damaged.length)] = below(256);
    const end = round % 4 === 0 ? below(damaged.length) : damaged.length;
    await writeFile(path, withHeader(damaged.subarray(0, end), Buffer.alloc(0)));
    await readHef(path).catch((thrown: { code?: string }) => assert.equal(thrown.code, 'unsupported_model'));
  }
});

/** Of a chip whose library would end its process over that: the description for another, under its number. */
function withoutLayouts(): Buffer {
  const description = Buffer.from(describe({ groups: [DECODER], architecture: 'HAILO8P' }));
  // Tag and length of the header, then the tag of the chip.
  const chipAt = 3;
  assert.equal(description[chipAt], HEF_ARCHITECTURES.HAILO8P);
  description[chipAt] = HEF_ARCHITECTURES.HAILO8L;
  return description;
}
