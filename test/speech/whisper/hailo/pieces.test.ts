/** What the host does around the two compiled networks, piece by piece. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { HailoDevice, HailoStream } from '../../../../src/backends/hailo/contract.ts';
import { type NpyTable, openNpy, writeNpy } from '../../../../src/graphs/npy.ts';
import { createSequenceEmbedding } from '../../../../src/speech/whisper/hailo/embedding.ts';
import { openWhisperNetworks } from '../../../../src/speech/whisper/hailo/networks.ts';
import { createScorer, penaliseRepetition } from '../../../../src/speech/whisper/hailo/scores.ts';
import { temporaryFolder } from '../../../support/temporary.ts';
import { favour, outputOf, TOKENS, VOCABULARY } from '../decoder-outputs.ts';

test('the scores of a row are those that the graph of the CPU gives', () => {
  const row = Array.from({ length: VOCABULARY }, (_, id) => Math.sin(7 * id) * 5);
  const expected = outputOf([row], 4);
  const values = new Float32Array(4);
  const ids = new BigInt64Array(4);
  const logSum = createScorer(TOKENS).text(Float32Array.from(row), { values, ids });
  assert.deepEqual(ids, expected.textIds);
  assert.deepEqual(values, expected.textValues);
  assert.ok(Math.abs(logSum - expected.textLogSum[0]!) < 1e-5);
});

test('suppressed tokens are neither among the best nor in the sum', () => {
  const values = new Float32Array(2);
  const ids = new BigInt64Array(2);
  const row = Float32Array.from(favour(3, 5));
  const logSum = createScorer({ ...TOKENS, suppressed: [3] }).text(row, { values, ids });
  assert.equal(ids[0], 5n);
  assert.ok(logSum < 6.1);
});

test('a token that was said lately becomes less likely, whichever sign its logit has; the comma, the end and times do not', () => {
  const options = { penalty: 2, endOfText: 20 };
  const logits = Float32Array.from({ length: 30 }, (_, id) => (id === 4 ? -3 : 6));
  const old = [7, ...new Array<number>(7).fill(11)];
  penaliseRepetition(logits, [...old, 4, 5, 5, 13, 25, 20], options);
  assert.equal(logits[5], 3);
  assert.equal(logits[4], -6);
  // Seven commas and three words later it is forgotten.
  assert.equal(logits[7], 6);
  for (const untouched of [11, 13, 20, 25]) assert.equal(logits[untouched], 6);
});

async function table(context: TestContext, rows: readonly (readonly number[])[]): Promise<NpyTable> {
  const path = join(await temporaryFolder(context), 'table.npy');
  await writeNpy(path, Float32Array.from(rows.flat()), [rows.length, rows[0]!.length]);
  const opened = openNpy(path);
  context.after(() => opened.close());
  return opened;
}

test('tokens stand at their places, the rest is token 0; a sequence that goes on leaves the one before as it was', async (context) => {
  const embedding = createSequenceEmbedding({
    table: await table(context, [
      [9, 9],
      [1, 2],
      [3, 4],
    ]),
    length: 3,
    positions: undefined,
  });
  const first = embedding.extend(undefined, [1]);
  const second = embedding.extend(first, [2]);
  assert.deepEqual([...first.embedded], [1, 2, 9, 9, 9, 9]);
  assert.deepEqual([...second.embedded], [1, 2, 3, 4, 9, 9]);
  assert.deepEqual(second.tokens, [1, 2]);
  assert.throws(() => embedding.extend(second, [1, 1]), /4 tokens do not fit into 3/);
});

test('positions are added to every place, those without a token too', async (context) => {
  const embedding = createSequenceEmbedding({
    table: await table(context, [
      [9, 9],
      [1, 2],
    ]),
    length: 2,
    positions: await table(context, [
      [10, 20],
      [30, 40],
    ]),
  });
  assert.deepEqual([...embedding.extend(undefined, [1]).embedded], [11, 22, 39, 49]);
});

function stream(name: string, width: number, features: number): HailoStream {
  return { name, shape: { height: 1, width, features } };
}

interface Shapes {
  readonly encoder?: { readonly inputs: HailoStream[]; readonly outputs: HailoStream[] };
  readonly decoder?: { readonly inputs: HailoStream[]; readonly outputs: HailoStream[] };
}

const ENCODER = { inputs: [stream('mel', 8, 2)], outputs: [stream('hidden', 4, 3)] };
const DECODER = {
  inputs: [stream('layer1', 4, 3), stream('layer2', 5, 3)],
  outputs: [stream('conv1', 5, 2), stream('softmax', 5, 7), stream('conv2', 5, 1)],
};

/** A device whose networks answer with the sum of each input in every number. */
function deviceOf({ encoder = ENCODER, decoder = DECODER }: Shapes = {}): HailoDevice {
  return {
    async open(path) {
      const { inputs, outputs } = path === 'encoder' ? encoder : decoder;
      return {
        name: path,
        inputs,
        outputs,
        async run(frames) {
          const sums = frames.map((frame) => [...frame].reduce((sum, value) => sum + value, 0));
          return outputs.map(({ shape: { width, features } }, index) =>
            new Float32Array(width * features).map(
              (_, at) => 100 * index + at + sums.reduce((a, b) => a + b),
            ),
          );
        },
        async close() {},
      };
    },
    async close() {},
  };
}

const FILES = { encoder: 'encoder', decoder: 'decoder' };

test('the audio goes to the input of its name where both inputs have one shape', async () => {
  const alike = {
    inputs: [stream('d/input_layer2', 4, 3), stream('d/input_layer1', 4, 3)],
    outputs: [stream('conv1', 4, 2)],
  };
  const seen: number[] = [];
  const device = deviceOf({ decoder: alike });
  const networks = await openWhisperNetworks(
    {
      ...device,
      async open(path, formats) {
        const network = await device.open(path, formats);
        return {
          ...network,
          run(frames) {
            seen.push(...frames.map((frame) => frame[0]!));
            return network.run(frames);
          },
        };
      },
    },
    FILES,
  );
  await networks.decode(new Float32Array(12).fill(1), new Float32Array(12).fill(2));
  assert.deepEqual(seen, [2, 1]);
});

test('sizes come from the networks, and the vocabulary is joined from the convolutions in their order', async () => {
  const networks = await openWhisperNetworks(deviceOf(), FILES);
  const { frames, melBins, width, sequence, vocabulary } = networks;
  assert.deepEqual(
    { frames, melBins, width, sequence, vocabulary },
    { frames: 8, melBins: 2, width: 3, sequence: 5, vocabulary: 3 },
  );
  const slices = await networks.decode(new Float32Array(12), new Float32Array(15));
  const row = new Float32Array(3);
  slices.copyRow(4, row);
  assert.deepEqual([...row], [8, 9, 204]);
});

const UNFIT: readonly (readonly [what: string, shapes: Shapes, message: RegExp])[] = [
  [
    'an encoder that gives as many rows as it takes',
    { encoder: { ...ENCODER, outputs: [stream('hidden', 8, 3)] } },
    /half as many rows/,
  ],
  [
    'an encoder with two outputs',
    { encoder: { ...ENCODER, outputs: [stream('a', 4, 3), stream('b', 4, 3)] } },
    /one input and one output/,
  ],
  [
    'a decoder of another width',
    { decoder: { ...DECODER, inputs: [stream('layer1', 4, 6), stream('layer2', 5, 6)] } },
    /two inputs, the encoder's 4 x 3/,
  ],
  [
    'a decoder without logits',
    { decoder: { ...DECODER, outputs: [stream('x', 9, 2)] } },
    /slices of the vocabulary for 5 tokens/,
  ],
];

for (const [what, shapes, message] of UNFIT) {
  test(`${what} is refused with what it has`, async () => {
    await assert.rejects(openWhisperNetworks(deviceOf(shapes), FILES), {
      code: 'unsupported_model',
      message,
    });
  });
}
