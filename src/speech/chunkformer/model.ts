/** A ChunkFormer model in memory, inside its model process. */
import { join } from 'node:path';
import { decodeAudio } from '../../audio/decode.ts';
import type { CallContext, LoadedModel, LoadSpec } from '../../engine/protocol.ts';
import type { AudioSettings } from '../backend.ts';
import { createStopwatch } from '../stopwatch.ts';
import type { Transcript } from '../transcript.ts';
import { createBatcher } from './batcher.ts';
import { openChunkFormerCheckpoint } from './checkpoint.ts';
import { openEncoderRuntime } from './encoder-runtime.ts';
import { createFbank } from './fbank.ts';
import { createPlaces, type Places } from './places.ts';
import type { ChunkSettings } from './settings.ts';
import { type ChunkFormerModel, transcribe } from './transcribe.ts';
import { readVocabulary } from './vocabulary.ts';

/** `LoadSpec.options` of a ChunkFormer model. */
export type ChunkFormerLoadOptions = {
  /** Directory of what was converted (`convert.ts`). */
  readonly graphs: string;
  readonly threads: number;
  readonly settings: ChunkSettings;
  readonly mergesRepeats: boolean;
};

/** Input of the call `transcribe`; its output is a `Transcript`, its events are `TranscribeEvent`s. */
export interface ChunkFormerInput {
  /** The recording: a regular file of any format that can be decoded. */
  readonly path: string;
  /** Of the model; undefined where nobody knows it. */
  readonly language: string | undefined;
  readonly audio: AudioSettings & { readonly maxDurationSeconds: number };
}

/** Throws `unsupported_model` or `model_failed`. */
export async function load(spec: LoadSpec): Promise<LoadedModel> {
  const options = spec.options as unknown as ChunkFormerLoadOptions; // made by serving.ts
  const { graphs, settings, threads, mergesRepeats } = options;
  const { sizes, close } = openChunkFormerCheckpoint(spec.directory);
  close();
  const runtime = await openEncoderRuntime(graphs, { sizes, settings, threads });
  const model: ChunkFormerModel = {
    name: spec.model,
    batcher: createBatcher(runtime),
    fbank: createFbank(sizes.bins),
    vocabulary: readVocabulary(join(spec.directory, 'vocab.txt'), sizes.vocabulary),
    mergesRepeats,
  };
  const places = createPlaces();
  return {
    async call(method, input, context) {
      if (method !== 'transcribe') throw new Error(`A ChunkFormer model has no method ${method}.`);
      return transcribeFile(model, input as ChunkFormerInput, { ...context, places });
    },
    close: () => runtime.close(),
  };
}

async function transcribeFile(
  model: ChunkFormerModel,
  { path, language, audio }: ChunkFormerInput,
  { signal, emit, places }: CallContext & { readonly places: Places },
): Promise<Transcript> {
  const stopwatch = createStopwatch();
  const decode = async () => (await decodeAudio(path, { ...audio, signal })).sound;
  return places.hear(
    {
      open: () => stopwatch.measureAsync('decodeAudio', decode),
      use: (sound) => transcribe(sound, model, { language, stopwatch, signal, emit }),
    },
    signal,
  );
}
