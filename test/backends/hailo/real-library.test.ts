/**
 * Against a real libhailort that HAILORT_LIBRARY names, without a device: what our layouts and synthetic HEFs are to it. Measured with
 * 4.23.0. It keeps no log file if HAILORT_LOGGER_PATH is NONE, which these tests set before they load it; errors it still writes to stderr.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { before } from 'node:test';
import koffi from 'koffi';
import { checkedCalls, listWith, wordAt } from '../../../src/backends/hailo/checked-calls.ts';
import { openHailo } from '../../../src/backends/hailo/device.ts';
import {
  readVstreamInfo,
  VDEVICE_PARAMS_BYTES,
  VSTREAM_PARAMS_BYTES,
  WORD_BYTES,
} from '../../../src/backends/hailo/layouts.ts';
import { type HailoLibrary, openLibrary } from '../../../src/backends/hailo/library.ts';
import { describeGroup } from '../../../src/backends/hailo/streams.ts';
import { scanDevices } from '../../../src/backends/hailo/vdevice.ts';
import { readEnvironment } from '../../../src/config/environment.ts';
import { HEF_ARCHITECTURES, writeHef } from '../../support/hef.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const path = readEnvironment()['HAILORT_LIBRARY'];
const whyNot = path === undefined ? 'HAILORT_LIBRARY names no libhailort' : false;
const NAMES_OF_CHIPS = Object.keys(HEF_ARCHITECTURES) as (keyof typeof HEF_ARCHITECTURES)[];
const skip = whyNot || (existsSync('/dev/hailo0') ? 'these tests are for a machine without a device' : false);

let library: HailoLibrary;
before(async () => {
  if (skip !== false) return;
  process.env['HAILORT_LOGGER_PATH'] = 'NONE';
  library = await openLibrary(path!);
});

const calls = () => checkedCalls(library, 'Testing', 'model_failed');

test('real libhailort: its version is supported, and statuses have names where it knows them', {
  skip,
}, () => {
  assert.ok(library.version.major === 4 || library.version.major === 5);
  assert.equal(library.statusName(74), 'HAILO_OUT_OF_PHYSICAL_DEVICES');
  assert.equal(library.statusName(999), undefined);
});

test('real libhailort: default params have our layout', { skip }, () => {
  const params = Buffer.alloc(VDEVICE_PARAMS_BYTES);
  calls().now('hailo_init_vdevice_params', params);
  assert.deepEqual(
    [params.readUInt32LE(0), params.readBigUInt64LE(8), params.readInt32LE(16), params.readUInt8(32)],
    [1, 0n, 1, 0],
  );
});

test('real libhailort: a scan finds nothing, and opening a device says so', { skip }, async () => {
  assert.deepEqual(scanDevices(calls()), []);
  const options = {
    library: path!,
    bridges: [],
    groupId: 'SHARED',
    multiProcessService: false,
    timeoutMs: 1000,
  };
  await assert.rejects(openHailo(options), { code: 'not_runnable', message: /^There is no Hailo device/ });
});

test('real libhailort: missing, foreign and damaged HEFs have the statuses of the table', {
  skip,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const good = writeHef({
    groups: [
      {
        name: 'net',
        inputs: [{ name: 'in', shape: [8, 8, 8] }],
        outputs: [{ name: 'out', shape: [1, 1, 8] }],
      },
    ],
  });
  const flipped = Buffer.from(good);
  flipped[60]! ^= 1;
  const files: [string, Buffer | undefined, number][] = [
    ['none', undefined, 13],
    ['foreign', Buffer.alloc(500, 7), 92],
    ['flipped', flipped, 91],
    ['cut', good.subarray(0, good.length - 1), 91],
  ];
  for (const [name, content, status] of files) {
    if (content !== undefined) await writeFile(join(folder, name), content);
    assert.equal(
      await library.call('hailo_create_hef_file', Buffer.alloc(WORD_BYTES), join(folder, name)),
      status,
      name,
    );
  }
});

test('real libhailort: it reads our synthetic HEFs as we wrote them', { skip }, async (t) => {
  const file = join(await temporaryFolder(t), 'decoder.hef');
  await writeFile(
    file,
    writeHef({
      groups: [
        {
          name: 'decoder',
          inputs: [
            { name: 'decoder/input_layer1', shape: [1, 500, 384], zeroPoint: 128, scale: 0.0625 },
            { name: 'decoder/input_layer2', shape: [1, 32, 384] },
          ],
          outputs: ['conv4', 'conv1', 'conv3', 'conv2'].map((name) => ({
            name: `decoder/${name}`,
            shape: [1, 32, 12966] as const,
          })),
        },
      ],
    }),
  );
  const handle = Buffer.alloc(WORD_BYTES);
  await calls().later('hailo_create_hef_file', handle, file);
  const hef = wordAt(handle);
  try {
    const { name, inputs, outputs } = describeGroup(calls(), hef);
    assert.equal(name, 'decoder');
    assert.deepEqual(inputs.map((input) => [input.name, input.shape]).sort(), [
      ['decoder/input_layer1', { height: 1, width: 500, features: 384 }],
      ['decoder/input_layer2', { height: 1, width: 32, features: 384 }],
    ]);
    assert.deepEqual(
      outputs.map((output) => output.name),
      ['decoder/conv4', 'decoder/conv1', 'decoder/conv3', 'decoder/conv2'],
    );
    const infos = listWith(library.vstreamInfoBytes, calls(), (items, count) =>
      library.callNow('hailo_hef_get_all_vstream_infos', hef, 'decoder', items, count),
    );
    assert.equal(infos.count, 6);
    const quantisation = library.vstreamInfoBytes - 16;
    assert.deepEqual(
      [infos.bytes.readFloatLE(quantisation), infos.bytes.readFloatLE(quantisation + 4)],
      [128, 0.0625],
    );
    assert.deepEqual(defaultParams(hef), [3, 0, 10_000, 2]);
    for (let index = 0; index < infos.count; index += 1) {
      const info = infos.bytes.subarray(
        index * library.vstreamInfoBytes,
        (index + 1) * library.vstreamInfoBytes,
      );
      const { height, width, features } = readVstreamInfo(info).shape;
      assert.equal(floatFrameBytes(info), height * width * features * 4);
    }
  } finally {
    await calls().later('hailo_release_hef', hef);
  }
});

test('real libhailort: it reads our HEFs for every chip, and gives groups in the order of their names', {
  skip,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const groups = ['second', 'first'].map((name) => ({
    name,
    inputs: [{ name: `${name}/in`, shape: [1, 1, 4] as const }],
    outputs: [{ name: `${name}/out`, shape: [1, 2, 4] as const }],
  }));
  for (const architecture of NAMES_OF_CHIPS) {
    const file = join(folder, `${architecture}.hef`);
    await writeFile(file, writeHef({ architecture, groups }));
    const handle = Buffer.alloc(WORD_BYTES);
    await calls().later('hailo_create_hef_file', handle, file);
    const hef = wordAt(handle);
    const { name, outputs } = describeGroup(calls(), hef);
    await calls().later('hailo_release_hef', hef);
    assert.deepEqual([architecture, name, outputs[0]!.name], [architecture, 'first', 'first/out']);
  }
});

/** Type, order, time-out and queue of the first input, by a function that needs no device; the product takes those of a configured group. */
function defaultParams(hef: bigint): number[] {
  const make = koffi
    .load(path!)
    .func('hailo_hef_make_input_vstream_params', 'int', ['void *', 'str', 'bool', 'int', 'void *', 'void *']);
  const { bytes, count } = listWith(VSTREAM_PARAMS_BYTES, calls(), (items, length) =>
    make(hef, 'decoder', false, 3, items, length),
  );
  assert.equal(count, 2);
  return [128, 132, 140, 144].map((offset) => bytes.readInt32LE(offset));
}

function floatFrameBytes(info: Buffer): number {
  const getSize = koffi
    .load(path!)
    .func('hailo_get_vstream_frame_size', 'int', ['void *', 'void *', 'void *']);
  const size = Buffer.alloc(WORD_BYTES);
  const format = Buffer.alloc(12);
  format.writeInt32LE(3);
  calls().check(getSize(info, format, size));
  return Number(wordAt(size));
}
