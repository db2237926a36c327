/**
 * What Whisper loses in the shapes in which it is compiled for a Hailo device, and what the host's own choices do to it: errors and runs of the
 * decoder, beside the same weights on the CPU. The networks are played by ONNX Runtime at float32, so nothing is said of the device's speed, nor of
 * what its quantisation costs.
 *
 *   node dist/bench/hailo.js [--variants 8] [--home DIR]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type App, createApp } from '../src/app.ts';
import { soundOf } from '../src/audio/sound.ts';
import type { HailoDevice, HailoStream } from '../src/backends/hailo/contract.ts';
import { readHef } from '../src/backends/hailo/hef.ts';
import { silentLogger } from '../src/base/logger.ts';
import { readLibrivox } from '../src/cli/librivox.ts';
import { readEnvironment } from '../src/config/environment.ts';
import { loadConfig } from '../src/config/load.ts';
import { openNpy } from '../src/graphs/npy.ts';
import { openSilero } from '../src/speech/silero.ts';
import { createStopwatch } from '../src/speech/stopwatch.ts';
import type { TranscribeOptions } from '../src/speech/transcript.ts';
import { createBatcher } from '../src/speech/whisper/batcher.ts';
import { createHailoWhisper } from '../src/speech/whisper/hailo/backend.ts';
import { convertHailoWhisper, readConverted } from '../src/speech/whisper/hailo/convert.ts';
import { createSequenceEmbedding } from '../src/speech/whisper/hailo/embedding.ts';
import { filesIn } from '../src/speech/whisper/hailo/files.ts';
import { openWhisperNetworks } from '../src/speech/whisper/hailo/networks.ts';
import { createMelFrontEnd } from '../src/speech/whisper/mel.ts';
import { createTokenizer } from '../src/speech/whisper/tokenizer.ts';
import { transcribe } from '../src/speech/whisper/transcribe.ts';
import { wordErrors } from '../src/speech/word-error-rate.ts';
import { VOICE_ACTIVITY, VOICE_ACTIVITY_FILE } from '../src/store/catalogue.ts';
import { type FixedShape, type FixedWhisper, fixedWhisper } from '../test-models/support/fixed-whisper.ts';
import { samplesOf } from '../test-models/support/recordings.ts';
import type { Recording } from './measure.ts';
import { variantsOf } from './recordings.ts';

interface Way {
  readonly repetitionPenalty: number;
  readonly hasTimestamps: boolean;
}

interface Counts {
  readonly errors: number;
  readonly words: number;
}

const SHAPES: readonly (readonly [source: string, shape: Omit<FixedShape, 'hasPositions'>])[] = [
  ['whisper-tiny.en', { seconds: 10, sequence: 32 }],
  ['whisper-base', { seconds: 5, sequence: 24 }],
  ['whisper-base', { seconds: 10, sequence: 64 }],
];
const WAYS: readonly Way[] = [
  { repetitionPenalty: 1, hasTimestamps: true },
  { repetitionPenalty: 1, hasTimestamps: false },
  { repetitionPenalty: 1.5, hasTimestamps: true },
  { repetitionPenalty: 1.5, hasTimestamps: false },
];

const { values } = parseArgs({
  options: { variants: { type: 'string', default: '8' }, home: { type: 'string' } },
});
const env = readEnvironment();
const { config } = loadConfig({ env, flags: values.home === undefined ? {} : { home: values.home } });
const app = createApp({ config, env, logger: silentLogger });
const folder = await mkdtemp(join(tmpdir(), 'percept-bench-hailo-'));
try {
  const recordings = await variantsOf(await readLibrivox(await app.store.dataset('librivox')), {
    count: Number(values.variants),
    folder,
  });
  for (const [source, shape] of SHAPES) await measure(source, { ...shape, hasPositions: true }, recordings);
} finally {
  await app.close({ timeoutMs: 0 });
  await rm(folder, { recursive: true });
}

async function measure(source: string, shape: FixedShape, recordings: readonly Recording[]): Promise<void> {
  const onCpu = await total(recordings, (path) => textOnCpu(app, path, source));
  console.log(`${source} on the CPU, int8, beam 5: ${worded(onCpu)}`);
  const name = `${source}-${shape.seconds}-${shape.sequence}`;
  const { directory } = await app.store.require(source);
  const fixed = await fixedWhisper(directory, join(folder, name), shape);
  for (const way of WAYS) {
    const { hear, runs } = await openWay(fixed, way);
    const found = await total(recordings, hear);
    const times = way.hasTimestamps ? 'with times' : 'without times';
    console.log(
      `  ${shape.seconds} s, ${shape.sequence} tokens, penalty ${way.repetitionPenalty}, ${times}: ${worded(found)}, ${runs()} runs of the decoder`,
    );
  }
  await fixed.close();
}

function worded({ errors, words }: Counts): string {
  return `${errors} errors in ${words} words (${((100 * errors) / words).toFixed(1)} %)`;
}

async function total(
  recordings: readonly Recording[],
  hear: (path: string) => Promise<string>,
): Promise<Counts> {
  let [errors, words] = [0, 0];
  for (const { path, reference } of recordings) {
    const found = wordErrors(reference, await hear(path));
    errors += found.errors;
    words += found.words;
  }
  return { errors, words };
}

async function textOnCpu({ speech }: App, path: string, source: string): Promise<string> {
  const request = { model: `${source}-int8`, task: 'transcribe', language: 'en' } as const;
  return (await speech.transcribe(path, request, { signal: new AbortController().signal })).text;
}

async function openWay(fixed: FixedWhisper, way: Way) {
  const files = filesIn(fixed.directory);
  const graphs = await mkdtemp(join(folder, 'graphs-'));
  await convertHailoWhisper(fixed.directory, graphs);
  const { tokens, vocabulary } = readConverted(graphs);
  let runs = 0;
  const networks = await openWhisperNetworks(
    playedDevice(fixed, (name) => {
      if (name === 'decoder') runs += 1;
    }),
    files,
  );
  const table = openNpy(files.embedding);
  const embedding = createSequenceEmbedding({ table, length: networks.sequence, positions: undefined });
  const close = async () => table.close();
  const backend = createHailoWhisper({ networks, embedding, tokens, ...way, close });
  const recogniser = {
    backend,
    tokens,
    tokenizer: createTokenizer(vocabulary, tokens.endOfText),
    frontEnd: createMelFrontEnd(backend.melBins),
  };
  const vad = await app.store.require(VOICE_ACTIVITY);
  const model = {
    name: 'played',
    recogniser,
    batcher: createBatcher(recogniser),
    detector: await openSilero(join(vad.directory, VOICE_ACTIVITY_FILE)),
  };
  const { temperatures, compressionRatioThreshold, logprobThreshold, noSpeechThreshold } = config.speech;
  const options: TranscribeOptions = {
    task: 'transcribe',
    wordTimestamps: false,
    language: 'en',
    beamSize: 1,
    temperatures,
    compressionRatioThreshold,
    logprobThreshold,
    noSpeechThreshold,
    conditionOnPreviousText: false,
    batchSize: config.speech.batchSize,
    vad: config.speech.vad,
    maxDurationSeconds: config.audio.maxDurationSeconds,
  };
  return {
    runs: () => runs,
    async hear(path: string) {
      const context = {
        options,
        stopwatch: createStopwatch(),
        signal: new AbortController().signal,
        emit() {},
      };
      return (await transcribe(soundOf(await samplesOf(path)), model, context)).text;
    },
  };
}

/** The networks without a library between, which changes no number. */
function playedDevice(fixed: FixedWhisper, onRun: (name: string) => void): HailoDevice {
  return {
    async open(path) {
      const [group] = (await readHef(path)).groups;
      const { name, inputs, outputs } = group!;
      const plain = (streams: typeof inputs): HailoStream[] =>
        streams.map(({ name: stream, shape }) => ({ name: stream, shape }));
      return {
        name,
        inputs: plain(inputs),
        outputs: plain(outputs),
        run(frames) {
          onRun(name);
          return fixed.networks[name]!([...frames]);
        },
        async close() {},
      };
    },
    async close() {},
  };
}
