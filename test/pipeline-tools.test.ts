import assert from 'node:assert/strict';
import test from 'node:test';
import type { App } from '../src/app.ts';
import { loadConfig } from '../src/config/load.ts';
import type { Flags } from '../src/config/sources.ts';
import type { GenerateRequest } from '../src/language/generation.ts';
import { createTools, pipelineSettings } from '../src/pipeline-tools.ts';
import type { SpeechVersion } from '../src/speech/service.ts';
import type { Segment } from '../src/speech/transcript.ts';
import { GENERATION } from './server/scripted-language.ts';
import { TRANSCRIPT } from './server/server-under-test.ts';

const { signal } = new AbortController();
const VERSION: SpeechVersion = {
  backend: 'whisper',
  model: 'whisper-base-int8',
  directory: '/data/models/whisper-base',
  checkpointHash: 'abc',
  computeType: 'int8',
  decoding: { beamSize: 5, prompt: undefined, vad: { padMs: 400 }, temperatures: [0, 0.2] },
};

function configOf(flags: Flags = {}) {
  return loadConfig({ env: { PERCEPT_HOME: '/data' }, flags, configFile: '/dev/null' }).config;
}

/** Tools over rooms that answer one thing each. */
function open({
  flags = {},
  model = VERSION.model,
  segments = TRANSCRIPT.segments,
  finishReason = 'stop',
} = {}) {
  const asked: GenerateRequest[] = [];
  let unloads = 0;
  const rooms = {
    config: configOf(flags),
    engine: {
      async unloadIdle() {
        unloads += 1;
      },
    },
    speech: {
      version: async () => ({ ...VERSION, model }),
      transcribe: async (_path: string, _request: unknown, context: { onEvent(event: object): void }) => {
        context.onEvent({ type: 'started', durationSeconds: 8 });
        context.onEvent({ type: 'progress', doneSeconds: 2 });
        return { ...TRANSCRIPT, segments };
      },
    },
    language: {
      async generate(request: GenerateRequest) {
        asked.push(request);
        return { ...GENERATION, finishReason };
      },
      async measure(request: GenerateRequest) {
        asked.push(request);
        return { promptTokens: 1, contextTokens: 2, isEstimate: false };
      },
    },
  };
  // What the tools do not use of the rooms is left out.
  const tools = createTools(rooms as unknown as App);
  return { tools, asked, unloads: () => unloads };
}

const HEARING = { model: undefined, language: undefined, wordTimestamps: false };
const WRITING = {
  model: undefined,
  messages: [{ role: 'user', content: 'x' }],
  schema: undefined,
  settings: { maxTokens: 5 },
  seed: 3,
} as const;

test('a transcript is told in the pipeline’s words, and its version in those of the contract', async () => {
  const segment = { ...TRANSCRIPT.segments[0]!, startSeconds: 0, endSeconds: 3, avgLogprob: Math.log(0.5) };
  const segments: Segment[] = [segment, { ...segment, startSeconds: 3, endSeconds: 4, avgLogprob: 0 }];
  const { tools } = open({ segments });
  const shares: number[] = [];
  const heard = await tools.transcribe('x.wav', HEARING, {
    signal,
    onProgress: (share) => shares.push(share),
  });
  assert.deepEqual(shares, [0.25]);
  assert.equal(heard.confidence, (3 * 0.5 + 1) / 4);
  assert.equal(heard.isPunctuated, false);
  assert.deepEqual(Object.keys(heard.segments[0]!), ['startSeconds', 'endSeconds', 'text']);
  assert.ok('model_loading' in heard.timings && 'voice_activity' in heard.timings);
  assert.deepEqual(heard.version, await tools.hearingVersion(HEARING, { signal }));
  assert.deepEqual(heard.version, {
    name: 'whisper',
    model_variant: 'whisper-base-int8',
    model_path: 'models/whisper-base',
    checkpoint_hash: 'abc',
    compute_type: 'int8',
    decoding_params: { beam_size: 5, vad: { pad_ms: 400 }, temperatures: [0, 0.2] },
  });
});

test('where nothing was said there is no confidence; erax-wow-turbo punctuates by itself', async () => {
  const { tools } = open({ segments: [], model: 'erax-wow-turbo-int8' });
  const heard = await tools.transcribe('x.wav', HEARING, { signal, onProgress() {} });
  assert.equal(heard.confidence, undefined);
  assert.equal(heard.isPunctuated, true);
});

test('idle models are unloaded only where one has the memory for itself', async () => {
  const alone = open({ flags: { 'models.max_loaded': 1 } });
  await alone.tools.freeModels();
  assert.equal(alone.unloads(), 1);
  const several = open({ flags: { 'models.max_loaded': 2 } });
  await several.tools.freeModels();
  assert.equal(several.unloads(), 0);
});

test('a model that leaves after each request stays between the parts of a transcript', async () => {
  const leaving = open({ flags: { 'models.keep_alive': 0 } });
  await leaving.tools.language.measure(WRITING, { signal });
  await leaving.tools.language.generate(WRITING, { signal });
  assert.deepEqual(
    leaving.asked.map(({ keepAliveSeconds }) => keepAliveSeconds),
    [30, 30],
  );
  const staying = open();
  await staying.tools.language.generate(WRITING, { signal });
  assert.equal(staying.asked[0]!.keepAliveSeconds, undefined);
});

test('an answer that was cut says so, and its version has no seed', async () => {
  const { isCut, version } = await open({ finishReason: 'length' }).tools.language.generate(WRITING, {
    signal,
  });
  assert.equal(isCut, true);
  assert.equal(version.decoding_params['top_p'], 1);
  assert.ok(!('seed' in version.decoding_params));
  assert.equal((await open().tools.language.generate(WRITING, { signal })).isCut, false);
});

test('settings of the pipeline are its own, then those of language models', () => {
  const settings = pipelineSettings(
    configOf({ 'pipeline.summary.top_p': 0.5, 'language.max_tokens': 700, 'pipeline.speech_model': 'tiny' }),
  );
  assert.equal(settings.speechModel, 'tiny');
  assert.equal(settings.summary.settings.topP, 0.5);
  assert.equal(settings.enhancement.settings.topP, undefined);
  assert.deepEqual([settings.summary.settings.temperature, settings.summary.settings.maxTokens], [0, 700]);
});
