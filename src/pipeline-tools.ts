/** What the recording pipeline is given: the other rooms as functions in its own words, and the configuration as its settings. */
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { App } from './app.ts';
import { prepareRecording } from './audio/prepare-recording.ts';
import { toSnake } from './config/keys.ts';
import type { Config } from './config/schema.ts';
import type { PipelineSettings } from './intelligence/pipeline.ts';
import type {
  AsrVersion,
  HeardSpeech,
  HearingRequest,
  LanguageTool,
  Tools,
  WriterVersion,
} from './intelligence/tools.ts';
import type { WriterSettings } from './intelligence/writer.ts';
import type { Json } from './jobs/task.ts';
import type { Generation } from './language/generation.ts';
import type { SpeechRequest, SpeechVersion } from './speech/service.ts';
import type { Segment, Transcript } from './speech/transcript.ts';

type Rooms = Pick<App, 'config' | 'engine' | 'speech' | 'language'>;

/** Our templates and prompts, two folders above this file once built, beside package.json. */
export const TEMPLATES = fileURLToPath(new URL('../../templates/', import.meta.url));

export function createTools({ config, engine, speech, language }: Rooms): Tools {
  return {
    prepare: (source, target, { signal }) =>
      prepareRecording(source, target, {
        signal,
        ffmpeg: config.audio.ffmpeg,
        maxDurationSeconds: config.audio.maxDurationSeconds,
        timeoutMs: config.audio.decodeTimeoutSeconds * 1000,
        memoryBytes: config.audio.memoryBytes,
        directory: join(config.home, 'uploads'),
      }),
    async transcribe(path, asked, { signal, onProgress }) {
      const request = speechRequest(asked);
      const began = performance.now();
      const version = await speech.version(request, signal);
      let durationSeconds = Number.POSITIVE_INFINITY;
      const transcript = await speech.transcribe(path, request, {
        signal,
        onEvent(event) {
          if (event.type === 'started') durationSeconds = event.durationSeconds;
          if (event.type === 'progress') onProgress(Math.min(1, event.doneSeconds / durationSeconds));
        },
      });
      const seconds = (performance.now() - began) / 1000;
      return heardSpeech(transcript, { seconds, version, home: config.home });
    },
    async hearingVersion(asked, { signal }) {
      return asrVersion(await speech.version(speechRequest(asked), signal), config.home);
    },
    language: languageTool({ config, language }),
    checkSchema: (schema, signal) => language.checkSchema(schema, signal),
    async freeModels() {
      if (config.models.maxLoaded === 1) await engine.unloadIdle();
    },
  };
}

/** What the configuration says of the pipeline. A setting that it does not make falls through to `language`, the model's own and ours. */
export function pipelineSettings({ pipeline, language }: Config): PipelineSettings {
  const writer = ({
    model,
    temperature,
    topP,
    topK,
    repeatPenalty,
    maxTokens,
  }: Config['pipeline']['enhancement']): WriterSettings => ({
    model: model ?? undefined,
    settings: {
      temperature: temperature ?? undefined,
      topP: topP ?? undefined,
      topK: topK ?? undefined,
      repeatPenalty: repeatPenalty ?? undefined,
      maxTokens: maxTokens ?? language.maxTokens ?? undefined,
    },
  });
  return {
    speechModel: pipeline.speechModel ?? undefined,
    wordTimestamps: pipeline.wordTimestamps,
    minDurationSeconds: pipeline.minDurationSeconds,
    enhancement: writer(pipeline.enhancement),
    summary: { ...writer(pipeline.summary), retries: pipeline.summary.retries },
  };
}

function speechRequest({ model, language, wordTimestamps }: HearingRequest): SpeechRequest {
  return { model, task: 'transcribe', language, wordTimestamps };
}

/** Also imports that say so in their names. Of all that are known, only this one was trained to write as people do; Whisper's own punctuation comes and goes with the recording. */
const PUNCTUATES = /erax-wow-turbo/i;

function heardSpeech(
  { text, language, segments, durationSeconds, speechRatio, timings }: Transcript,
  run: { readonly seconds: number; readonly version: SpeechVersion; readonly home: string },
): HeardSpeech {
  const { total, ...steps } = timings;
  const named = Object.entries(steps).map(([name, seconds]) => [toSnake(name), seconds]);
  return {
    text,
    language,
    segments: segments.map(({ startSeconds, endSeconds, text, words }) => ({
      startSeconds,
      endSeconds,
      text,
      ...(words && { words }),
    })),
    durationSeconds,
    vadCoverage: speechRatio,
    confidence: meanProbability(segments),
    isPunctuated: PUNCTUATES.test(run.version.model),
    // What is not its own work is the wait for the model: room, load, and its installation at the first time.
    timings: { model_loading: Math.max(0, run.seconds - total), ...Object.fromEntries(named) },
    version: asrVersion(run.version, run.home),
  };
}

/** Of a token, by the mean log probability of each segment, weighted by the segments' lengths; undefined where there is none. */
function meanProbability(segments: readonly Segment[]): number | undefined {
  let seconds = 0;
  let sum = 0;
  for (const { startSeconds, endSeconds, avgLogprob } of segments) {
    const length = endSeconds - startSeconds;
    seconds += length;
    sum += length * Math.min(1, Math.exp(avgLogprob));
  }
  return seconds > 0 ? sum / seconds : undefined;
}

function asrVersion(version: SpeechVersion, home: string): AsrVersion {
  const { backend, model, directory, checkpointHash, computeType, decoding } = version;
  return {
    name: backend,
    model_variant: model,
    // Within the data directory: where that lies is nobody else's business.
    model_path: relative(home, directory),
    checkpoint_hash: checkpointHash,
    compute_type: computeType,
    decoding_params: snakeKeys(decoding),
  };
}

/** A model that leaves after each request would be loaded for every part of a transcript; it stays so long instead, in seconds. */
const KEPT_BETWEEN_PARTS = 30;

function languageTool({ config, language }: Pick<Rooms, 'config' | 'language'>): LanguageTool {
  const { models } = config;
  const keepAliveSeconds = (model = models.language) =>
    (models.keepAliveByModel[model] ?? models.keepAlive) === 0 ? KEPT_BETWEEN_PARTS : undefined;
  return {
    constrainedBy: config.language.engine === 'external' ? 'json_schema' : 'gbnf',
    measure: ({ model, messages }, { signal }) =>
      language.measure({ model, messages, keepAliveSeconds: keepAliveSeconds(model) }, signal),
    async generate({ model, messages, schema, settings, seed }, { signal }) {
      const generation = await language.generate(
        {
          model,
          messages,
          output: schema === undefined ? { kind: 'text' } : { kind: 'schema', schema },
          settings,
          seed,
          keepAliveSeconds: keepAliveSeconds(model),
        },
        { signal },
      );
      return {
        text: generation.text,
        value: generation.value,
        isCut: generation.finishReason === 'length',
        promptTokens: generation.usage?.promptTokens,
        completionTokens: generation.usage?.completionTokens,
        version: writerVersion(generation),
      };
    },
  };
}

function writerVersion({ versions }: Generation): WriterVersion {
  return {
    name: versions.model,
    checkpoint_hash: versions.checkpointHash ?? null,
    quantization: versions.quantization ?? null,
    chat_template: versions.templateHash ?? null,
    // Never asked for here: thoughts would take the room of the transcript.
    thinking: false,
    reasoning_parser: null,
    decoding_params: snakeKeys(versions.settings),
  };
}

/** As in files and requests, whatever lies below; what is undefined is left out. */
function snakeKeys(value: Readonly<Record<string, unknown>>): { readonly [key: string]: Json } {
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(
    entries.map(([name, one]) => {
      const isGroup = typeof one === 'object' && one !== null && !Array.isArray(one);
      return [toSnake(name), isGroup ? snakeKeys(one as Record<string, unknown>) : (one as Json)];
    }),
  );
}
