/** The backend over networks that say what a test wants: the contract that the pipeline above it relies on. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { soundOf } from '../../../../src/audio/sound.ts';
import type { WhisperBackend } from '../../../../src/backends/contract.ts';
import { openNpy, writeNpy } from '../../../../src/graphs/npy.ts';
import { createStopwatch } from '../../../../src/speech/stopwatch.ts';
import type { Transcript } from '../../../../src/speech/transcript.ts';
import { createBatcher } from '../../../../src/speech/whisper/batcher.ts';
import { createHailoWhisper } from '../../../../src/speech/whisper/hailo/backend.ts';
import { createSequenceEmbedding } from '../../../../src/speech/whisper/hailo/embedding.ts';
import type { WhisperNetworks } from '../../../../src/speech/whisper/hailo/networks.ts';
import { chooseEmbedding } from '../../../../src/speech/whisper/hailo/positions.ts';
import { createMelFrontEnd } from '../../../../src/speech/whisper/mel.ts';
import type { WhisperTokens } from '../../../../src/speech/whisper/tokens.ts';
import { transcribe } from '../../../../src/speech/whisper/transcribe.ts';
import { temporaryFolder } from '../../../support/temporary.ts';

/** 30 words (0 is what fills up), then the end, the start and no-times, then two times. */
const TOKENS: WhisperTokens = {
  endOfText: 30,
  startOfTranscript: 31,
  startOfPrevious: 31,
  noSpeech: 32,
  transcribe: undefined,
  translate: undefined,
  noTimestamps: 32,
  firstTimestamp: 33,
  timestamps: 2,
  languages: new Map(),
  suppressed: [32],
};
const VOCABULARY = 35;
const FRAMES = 800;
const SEQUENCE = 12;

/** A word for each half second that is loud: 1, 2, 3 ..., then the end. Tokens are their own embeddings. */
function countingNetworks(): WhisperNetworks & { readonly sequences: number[][] } {
  const sequences: number[][] = [];
  return {
    frames: FRAMES,
    melBins: 80,
    width: 1,
    sequence: SEQUENCE,
    vocabulary: VOCABULARY,
    sequences,
    async encode(mel) {
      let loud = 0;
      for (let frame = 0; frame < FRAMES; frame += 1) {
        const bins = mel.subarray(frame * 80, (frame + 1) * 80);
        if (Math.max(...bins) > 0) loud += 1;
      }
      return Float32Array.of(Math.round(loud / 50));
    },
    async decode([words], embedded) {
      sequences.push([...embedded]);
      return {
        copyRow(row, target) {
          target.fill(0);
          const last = embedded[row]!;
          const said = last >= TOKENS.endOfText ? 0 : last;
          target[said < words! ? said + 1 : TOKENS.endOfText] = 20;
        },
      };
    },
    async close() {},
  };
}

async function backendOf(context: TestContext, networks: WhisperNetworks): Promise<WhisperBackend> {
  const path = join(await temporaryFolder(context), 'table.npy');
  await writeNpy(
    path,
    Float32Array.from({ length: VOCABULARY }, (_, id) => id),
    [VOCABULARY, 1],
  );
  const table = openNpy(path);
  context.after(() => table.close());
  return createHailoWhisper({
    networks,
    embedding: createSequenceEmbedding({ table, length: SEQUENCE, positions: undefined }),
    tokens: TOKENS,
    repetitionPenalty: 1,
    hasTimestamps: false,
    async close() {},
  });
}

const decoding = { beams: [1], select: [0], candidates: 2, withLogits: false };

test('a step reads the whole sequence again, and gives what its own place says', async (context) => {
  const networks = countingNetworks();
  const backend = await backendOf(context, networks);
  const audio = { count: 1, hidden: [Float32Array.of(5)], release() {} };
  const first = await backend.decode({
    ...decoding,
    audio,
    state: undefined,
    tokens: [[31, 32]],
    select: [0, 1],
  });
  assert.deepEqual(
    [...first.textIds].filter((_, index) => index % 2 === 0),
    [1n, 1n],
  );
  const second = await backend.decode({ ...decoding, audio, state: first.state, tokens: [[1]] });
  assert.equal(second.textIds[0], 2n);
  assert.equal(second.state.length, 3);
  assert.deepEqual(networks.sequences[1], [31, 32, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test('rows hear their own window, in whatever order windows and rows are put', async (context) => {
  const backend = await backendOf(context, countingNetworks());
  const audio = { count: 2, hidden: [Float32Array.of(0), Float32Array.of(5)], release() {} };
  const input = {
    ...decoding,
    beams: [1, 2],
    state: undefined,
    tokens: [[31], [31], [31]],
    withLogits: true,
  };
  const { state, textIds, logits } = await backend.decode({ ...input, audio });
  assert.deepEqual(
    [...textIds].filter((_, index) => index % 2 === 0),
    [30n, 1n, 1n],
  );
  assert.equal(logits!.length, 3 * VOCABULARY);
  const kept = backend.selectRows(state, [2, 1]);
  assert.deepEqual([kept.rows, kept.length], [2, 1]);
  backend.orderWindows(audio, [1, 0]);
  const one = backend.firstWindows(audio, 1);
  const next = await backend.decode({ ...decoding, audio: one, beams: [2], state: kept, tokens: [[1], [2]] });
  assert.deepEqual([next.textIds[0], next.textIds[2]], [2n, 3n]);
});

test('times of words are refused with what to do instead', async (context) => {
  const backend = await backendOf(context, countingNetworks());
  assert.throws(() => backend.align({ count: 0, release() {} }, 0, []), { code: 'unsupported_parameter' });
});

test('its limits follow from its networks', async (context) => {
  const { windowFrames, maxTokens, maxText, maxSpeechSeconds } = await backendOf(context, countingNetworks());
  assert.deepEqual({ windowFrames, maxTokens, maxText }, { windowFrames: [800], maxTokens: 12, maxText: 12 });
  assert.equal(maxSpeechSeconds, 1.75);
});

async function hear(context: TestContext, samples: Float32Array): Promise<Transcript> {
  const backend = { ...(await backendOf(context, countingNetworks())), maxSpeechSeconds: 8 };
  const tokenizer = {
    encode: () => [],
    decode: (ids: readonly number[]) =>
      ids
        .filter((id) => id < 30)
        .map((id) => ` ${WORDS[id]}`)
        .join(''),
    pieces: () => [],
  };
  const recogniser = { backend, tokens: TOKENS, tokenizer, frontEnd: createMelFrontEnd(80) };
  const options = {
    task: 'transcribe',
    wordTimestamps: false,
    language: 'en',
    beamSize: 1,
    temperatures: [0],
    conditionOnPreviousText: false,
    compressionRatioThreshold: 2.4,
    logprobThreshold: -1,
    noSpeechThreshold: 0.6,
    batchSize: 3,
    maxDurationSeconds: 100,
    vad: { enabled: false, threshold: 0.5, minSpeechMs: 0, minSilenceMs: 0, padMs: 0, maxSpeechSeconds: 12 },
  } as const;
  return transcribe(
    soundOf(samples),
    { name: 'counting', recogniser, batcher: createBatcher(recogniser), detector: undefined as never }, // no detection is asked for
    { options, stopwatch: createStopwatch(), signal: context.signal, emit() {} },
  );
}

const WORDS = [
  '',
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
  'eleven',
  'twelve',
  'thirteen',
];

/** Half seconds of noise. */
function noise(halfSeconds: number): Float32Array {
  return Float32Array.from({ length: halfSeconds * 8000 }, (_, index) => Math.sin(index * index) / 2);
}

test('a text that fills the sequence is heard again in two windows, so that none of it is lost', async (context) => {
  // Room for ten words behind the start and no-times.
  const short = await hear(context, noise(9));
  assert.match(short.text, /^one two three four five six seven eight nine$/);
  const long = await hear(context, noise(13));
  assert.equal(long.segments.length, 2);
  const counts = long.segments.map(({ text }) => text.trim().split(' ').length);
  assert.ok(
    counts.every((count) => count < 10),
    String(counts),
  );
  assert.ok(Math.abs(counts.reduce((sum, count) => sum + count, 0) - 13) <= 1, String(counts));
  const [first, second] = long.segments;
  assert.equal(first!.endSeconds, second!.startSeconds);
});

test('where neither way of the positions is clearly better it is asked for', async () => {
  const networks = countingNetworks();
  const same = { extend: () => ({ tokens: [], embedded: new Float32Array(SEQUENCE) }) };
  const tokenizer = { encode: () => [1, 2, 3], decode: () => '', pieces: () => [] };
  await assert.rejects(
    chooseEmbedding({ networks, tokens: TOKENS, tokenizer, withPositions: same, withoutPositions: same }),
    { code: 'unsupported_model', message: /"position_add": true/ },
  );
});
