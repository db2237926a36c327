/** A Whisper model in memory, inside its model process. */
import { join } from 'node:path';
import { decodeAudio } from '../../audio/decode.ts';
import type { WhisperBackend } from '../../backends/contract.ts';
import type { LoadedModel, LoadSpec } from '../../engine/protocol.ts';
import { VOICE_ACTIVITY_FILE } from '../../store/catalogue.ts';
import type { AudioSettings } from '../backend.ts';
import { openSilero } from '../silero.ts';
import { createStopwatch } from '../stopwatch.ts';
import type { TranscribeEvent, TranscribeOptions, Transcript } from '../transcript.ts';
import { createBatcher, type Recogniser } from './batcher.ts';
import { readConverted } from './convert.ts';
import { type ListenContext, type ListenInput, listen } from './live.ts';
import { createMelFrontEnd } from './mel.ts';
import { openOnnxWhisper } from './onnx-backend.ts';
import { createTokenizer } from './tokenizer.ts';
import type { WhisperTokens } from './tokens.ts';
import { transcribe, type WhisperModel } from './transcribe.ts';
import { createTurns } from './turns.ts';
import type { Vocabulary } from './vocabulary.ts';

/** `LoadSpec.options` of a Whisper model. */
export type WhisperLoadOptions = {
  /** Directory of what `convert.ts` wrote. */
  readonly graphs: string;
  /** Directory of the Silero VAD model. */
  readonly vad: string;
  readonly threads: number;
};

/** Input of the call `transcribe`; its output is a `Transcript`, its events are `TranscribeEvent`s. */
export interface TranscribeInput {
  /** The recording: a regular file of any format that can be decoded. */
  readonly path: string;
  readonly options: TranscribeOptions;
  readonly audio: AudioSettings;
}

/** Throws `unsupported_model` or `model_failed`. */
export async function load(spec: LoadSpec): Promise<LoadedModel> {
  const { graphs, vad, threads } = spec.options as unknown as WhisperLoadOptions; // made by app.ts
  const converted = readConverted(graphs);
  const backend = await openOnnxWhisper(graphs, converted, threads);
  return serveWhisper(spec.model, { ...converted, backend, vad });
}

export interface WhisperParts {
  readonly backend: WhisperBackend;
  readonly tokens: WhisperTokens;
  readonly vocabulary: Vocabulary;
  /** Directory of the Silero VAD model. */
  readonly vad: string;
}

/** The calls of a Whisper model, whatever it runs on. Owns the backend. */
export async function serveWhisper(name: string, parts: WhisperParts): Promise<LoadedModel> {
  const model = await openModel(name, parts);
  // One utterance at a time, so that a partial text is only asked for when no whole one waits.
  const liveTurns = createTurns();
  return {
    async call(method, input, { signal, emit, chunks }) {
      switch (method) {
        case 'transcribe':
          return transcribeFile(model, input as TranscribeInput, { signal, emit });
        case 'listen':
          return listen(model, input as ListenInput, {
            chunks: chunks as ListenContext['chunks'],
            signal,
            emit,
            turns: liveTurns,
          });
        default:
          throw new Error(`A Whisper model has no method ${method}.`);
      }
    },
    async close() {
      await model.recogniser.backend.close();
      await model.detector.close();
    },
  };
}

async function openModel(
  name: string,
  { backend, tokens, vocabulary, vad }: WhisperParts,
): Promise<WhisperModel> {
  const recogniser: Recogniser = {
    backend,
    tokens,
    tokenizer: createTokenizer(vocabulary, tokens.endOfText),
    frontEnd: createMelFrontEnd(backend.melBins),
  };
  return {
    name,
    recogniser,
    batcher: createBatcher(recogniser),
    detector: await openSilero(join(vad, VOICE_ACTIVITY_FILE)),
  };
}

async function transcribeFile(
  model: WhisperModel,
  input: TranscribeInput,
  context: { signal: AbortSignal; emit: (event: TranscribeEvent) => void },
): Promise<Transcript> {
  const { signal, emit } = context;
  const stopwatch = createStopwatch();
  const { maxDurationSeconds } = input.options;
  const pcm = await stopwatch.measureAsync('decodeAudio', () =>
    decodeAudio(input.path, { ...input.audio, maxDurationSeconds, signal }),
  );
  try {
    return await transcribe(pcm.sound, model, { options: input.options, stopwatch, signal, emit });
  } finally {
    pcm.sound.close();
  }
}
