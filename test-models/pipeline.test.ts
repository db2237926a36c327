/** The recording pipeline with real weights: what small models say matters little, what they must not do is certain. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { silentLogger } from '../src/base/logger.ts';
import { createPipeline } from '../src/intelligence/pipeline.ts';
import { changedWords } from '../src/intelligence/same-words.ts';
import { FEATURES, type TaskInput, writeTaskInput } from '../src/intelligence/task-input.ts';
import type { TaskOutput } from '../src/intelligence/task-output.ts';
import { createTemplates, type Templates } from '../src/intelligence/templates.ts';
import type { Tools } from '../src/intelligence/tools.ts';
import { createTools, pipelineSettings, TEMPLATES } from '../src/pipeline-tools.ts';
import { temporaryFile, temporaryFolder } from '../test/support/temporary.ts';
import { openApp } from './support/home.ts';
import { LANGUAGE_MODEL, missingLanguageModel } from './support/language-weights.ts';
import { joined, samplesOf, silence, wav } from './support/recordings.ts';
import { librivox, missingWeights } from './support/weights.ts';

const SPEECH_MODEL = 'whisper-tiny.en';
const skip = (await missingLanguageModel()) || (await missingWeights(SPEECH_MODEL));

interface Opened {
  readonly tools: Tools;
  readonly templates: Templates;
  /** Of one's own. */
  readonly templatesFolder: string;
  run(source: string, input?: Partial<TaskInput>): Promise<TaskOutput>;
}

async function open(t: TestContext, { contextTokens = 4096 } = {}): Promise<Opened> {
  const app = openApp({
    'models.speech': SPEECH_MODEL,
    'models.language': LANGUAGE_MODEL,
    // Each stage has the memory for itself.
    'models.max_loaded': 1,
    'language.context_tokens': contextTokens,
  });
  t.after(() => app.close({ timeoutMs: 0 }));
  const tools = createTools(app);
  const scratch = await temporaryFolder(t);
  const templatesFolder = join(scratch, 'templates');
  const templates = createTemplates({
    ours: TEMPLATES,
    yours: templatesFolder,
    checkSchema: tools.checkSchema,
    logger: silentLogger,
  });
  const pipeline = createPipeline({ tools, templates, settings: pipelineSettings(app.config) });
  return {
    tools,
    templates,
    templatesFolder,
    async run(source, input = {}) {
      const json = writeTaskInput({
        features: FEATURES,
        templateId: 'meeting_notes_v1',
        language: null,
        speechModel: null,
        wordTimestamps: null,
        fileName: null,
        webhookUrl: null,
        ...input,
      });
      const { signal } = new AbortController();
      const output = await pipeline.run(json, { source, scratch, signal, update: async () => {} });
      return output as unknown as TaskOutput; // made by writeOutput
    },
  };
}

/** As JSON, which is what clients compare. */
const reproducible = ({ results, versions }: TaskOutput) => JSON.stringify({ results, versions });

test('a recording gives what was asked of it, valid by its template, and the same again to the byte', {
  skip,
}, async (t) => {
  const { run, templates } = await open(t);
  const { path } = (await librivox())[0]!;
  const first = await run(path);
  const { results, versions, metrics } = first;
  assert.deepEqual(Object.keys(results), [
    'raw_transcript',
    'clean_transcript',
    'summary',
    'enhancement_metrics',
  ]);
  assert.match(results.raw_transcript!, /dashwood/i);
  assert.equal(changedWords(results.raw_transcript!, results.clean_transcript!, 'en'), undefined);
  const { schema } = await templates.get('meeting_notes_v1');
  const validate = new Ajv2020({ strict: false }).compile(schema);
  assert.ok(validate(results.summary), JSON.stringify(validate.errors));
  assert.equal(versions.asr_backend.name, 'whisper');
  assert.match(versions.asr_backend.checkpoint_hash, /^[0-9a-f]{64}$/);
  assert.equal(versions.summarization_llm!.decoding_params['temperature'], 0);
  assert.equal(versions.summarization_llm!.name, LANGUAGE_MODEL);
  assert.ok(metrics.asr_confidence_avg! > 0.5 && metrics.asr_confidence_avg! <= 1);
  assert.ok(metrics.vad_coverage > 0.5 && metrics.stages.asr!.steps['decoder']! > 0);
  assert.equal(reproducible(await run(path)), reproducible(first));
});

/** Little enough that two of its forms fit a small context. */
const NOTE = {
  title: 'Note',
  type: 'object',
  properties: {
    about: { type: 'string', maxLength: 80, description: 'What it is about.' },
    people: { type: 'array', maxItems: 3, items: { type: 'string', maxLength: 30 } },
  },
  required: ['about', 'people'],
};

test('what a context does not hold is done part by part, and every word of it is read', {
  skip,
}, async (t) => {
  const { run, templatesFolder } = await open(t, { contextTokens: 1024 });
  await mkdir(templatesFolder);
  await writeFile(join(templatesFolder, 'note_v1.json'), JSON.stringify(NOTE));
  const parts = await Promise.all((await librivox()).map(({ path }) => samplesOf(path)));
  const long = joined(Array.from({ length: 6 }, () => parts).flat(), 1);
  const source = await temporaryFile(t, 'long.wav', wav(long.samples));
  const { results, metrics, versions } = await run(source, { templateId: 'note_v1' });
  assert.ok(results.enhancement_metrics!.parts > 1, `${results.enhancement_metrics!.parts} parts`);
  assert.ok(metrics.stages.summary!.parts > 1, `${metrics.stages.summary!.parts} parts`);
  assert.ok(new Ajv2020().validate(NOTE, results.summary));
  assert.deepEqual(Object.keys(versions.summarization_llm!.prompt_hashes), [
    'generic_v1',
    'summary_part_v1',
    'summary_merge_v1',
  ]);
  const { raw_transcript: raw, clean_transcript: clean } = results;
  assert.equal(changedWords(raw!, clean!, 'en'), undefined);
  assert.equal(metrics.input_duration_seconds, long.samples.length / 16_000);
});

test('silence is no transcript, and is not summarised', { skip }, async (t) => {
  const { run } = await open(t);
  const { results, versions } = await run(await temporaryFile(t, 'silence.wav', wav(silence(3))));
  assert.deepEqual([results.raw_transcript, results.clean_transcript, results.summary], ['', '', null]);
  assert.equal(versions.summarization_llm, null);
});

test('a prompt is measured as the model reads it', { skip }, async (t) => {
  const { tools } = await open(t);
  const { signal } = new AbortController();
  const messages = [{ role: 'user', content: 'Say yes. '.repeat(50) }] as const;
  const request = { model: undefined, messages };
  const { promptTokens, contextTokens } = await tools.language.measure(request, { signal });
  const settings = { temperature: 0, maxTokens: 2 };
  const written = await tools.language.generate(
    { ...request, schema: undefined, settings, seed: 1 },
    { signal },
  );
  assert.equal(promptTokens, written.promptTokens);
  assert.equal(contextTokens, 4096);
});
