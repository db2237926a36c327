import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { AppError } from '../../src/base/errors.ts';
import { FEATURES, type Feature } from '../../src/intelligence/task-input.ts';
import type { Json } from '../../src/jobs/task.ts';
import { CUT, NOTES, openPipeline, punctuate, SAID, speechOf } from './tools.ts';

const RAW = SAID.trim();
const CLEAN = `And${RAW.slice(3)}.`;

test('stages come in their order, each with its models let go first, and nothing is told twice', async (t) => {
  const { run, steps, updates } = await openPipeline(t);
  await run();
  assert.deepEqual(steps, ['free', 'prepare', 'free', 'transcribe', 'free', 'clean', 'summarise']);
  const stages = updates.flatMap(({ stage }) => stage ?? []);
  assert.deepEqual(stages, ['PREPROCESSING', 'PROCESSING_ASR', 'PROCESSING_LLM']);
  const heard = updates.slice(updates.findIndex(({ stage }) => stage === 'PROCESSING_ASR'));
  const shares = heard.flatMap(({ progress, stage }) => (progress === undefined || stage ? [] : progress));
  assert.ok(shares.length > 0 && shares.every((share) => share > 0 && share <= 1));
});

test('results are what was asked for, whatever that is', async (t) => {
  const all = {
    raw_transcript: RAW,
    clean_transcript: CLEAN,
    summary: NOTES,
    enhancement_metrics: { edit_rate: 2 / CLEAN.length, is_enhanced: true, parts: 1, parts_kept_raw: 0 },
  };
  const none = { edit_rate: 0, is_enhanced: false, parts: 0, parts_kept_raw: 0 };
  for (let chosen = 1; chosen < 2 ** FEATURES.length; chosen += 1) {
    const features = FEATURES.filter((_, index) => chosen & (1 << index));
    const { run, steps } = await openPipeline(t);
    const { results, versions, metrics } = await run({ features });
    const isCleaned = features.includes('clean_transcript');
    const expected = { ...all, ...(isCleaned ? {} : { enhancement_metrics: none }) };
    assert.deepEqual(results, Object.fromEntries(features.map((feature) => [feature, expected[feature]])));
    assert.equal(versions.enhancement_llm !== null, isCleaned);
    assert.equal(versions.summarization_llm !== null, features.includes('summary'));
    assert.equal(metrics.edit_rate_cleaning, isCleaned ? 2 / CLEAN.length : 0);
    assert.equal(steps.includes('clean'), isCleaned);
  }
});

test('a summary is made of the clean transcript where one was asked for, else of the raw one', async (t) => {
  for (const [features, text] of [
    [['summary', 'clean_transcript'], CLEAN],
    [['summary'], RAW],
  ] as [Feature[], string][]) {
    const { run, asked } = await openPipeline(t);
    await run({ features });
    assert.ok(asked.at(-1)!.messages[0]!.content.includes(`<transcript>\n${text}\n</transcript>`));
  }
});

test('versions say what made the result, and nothing of time: two runs are equal to the byte', async (t) => {
  const { run } = await openPipeline(t);
  const [first, second] = [await run(), await run()];
  assert.equal(JSON.stringify(first.results), JSON.stringify(second.results));
  assert.equal(JSON.stringify(first.versions), JSON.stringify(second.versions));
  const { pipeline_version, asr_backend, enhancement_llm, summarization_llm } = first.versions;
  assert.match(pipeline_version, /^\d+\.\d+\.\d+$/);
  assert.equal(asr_backend.model_variant, 'whisper-base-int8');
  assert.equal(enhancement_llm!.task, 'text_enhancement');
  assert.equal(enhancement_llm!.structured_output, null);
  assert.deepEqual(Object.keys(enhancement_llm!.prompt_hashes), ['text_enhancement_v1']);
  assert.equal(summarization_llm!.decoding_params['seed'], 1);
  const { schema_hash, ...structured } = summarization_llm!.structured_output!;
  assert.match(schema_hash, /^[0-9a-f]{64}$/);
  assert.deepEqual(structured, {
    backend: 'gbnf',
    template_id: 'meeting_notes_v1',
    template_version: '1',
  });
  assert.ok(!('heard' in first));
});

test('metrics hold what the contract lists, with a breakdown by stage', async (t) => {
  const { run } = await openPipeline(t);
  const { metrics } = await run();
  assert.equal(metrics.input_duration_seconds, 4);
  assert.equal(metrics.rtf, metrics.processing_time_seconds / 4);
  assert.deepEqual([metrics.vad_coverage, metrics.asr_confidence_avg], [0.9, 0.8]);
  const { preprocessing, asr, enhancement, summary } = metrics.stages;
  assert.equal(preprocessing!.format, 'wav');
  assert.deepEqual(asr!.steps, { model_loading: 1, decoder: 2 });
  assert.deepEqual([enhancement!.parts, summary!.answers, asr!.is_reused], [1, 1, false]);
});

test('a short recording is refused before it is heard', async (t) => {
  const { run, steps } = await openPipeline(t, { durationSeconds: 0.99 });
  await assert.rejects(run(), { code: 'audio_too_short', message: /min_duration_seconds/ });
  assert.ok(!steps.includes('transcribe'));
});

test('a task whose template is gone is refused before anything is done', async (t) => {
  const { run, steps } = await openPipeline(t);
  await assert.rejects(run({ templateId: 'nonsense' }), { code: 'missing_template' });
  await assert.rejects(run({ templateId: null }), { code: 'missing_template' });
  assert.deepEqual(steps, []);
});

test('a model that punctuates by itself is not cleaned after', async (t) => {
  const { run, steps } = await openPipeline(t, { speech: { ...speechOf(SAID), isPunctuated: true } });
  const { results, metrics } = await run({
    features: ['raw_transcript', 'clean_transcript', 'enhancement_metrics'],
  });
  assert.equal(results.clean_transcript, results.raw_transcript);
  assert.equal(results.enhancement_metrics!.is_enhanced, false);
  assert.equal(metrics.edit_rate_cleaning, 0);
  assert.ok(!steps.includes('clean'));
});

test('where nothing was said no model is asked, and nothing is summarised', async (t) => {
  const { run, asked } = await openPipeline(t, {
    speech: { ...speechOf(), confidence: undefined, durationSeconds: 3 },
  });
  const { results, metrics, versions } = await run({ features: FEATURES });
  assert.deepEqual([results.raw_transcript, results.clean_transcript, results.summary], ['', '', null]);
  assert.deepEqual([metrics.asr_confidence_avg, versions.summarization_llm], [null, null]);
  assert.equal(asked.length, 0);
});

test('segments with the times of their words are in the results where they were asked for', async (t) => {
  const speech = speechOf(' Hello there');
  const words = [{ text: ' Hello', startSeconds: 0, endSeconds: 0.5 }];
  const { run } = await openPipeline(t, {
    speech: { ...speech, segments: [{ ...speech.segments[0]!, words }] },
  });
  const { results } = await run({ features: ['raw_transcript'], wordTimestamps: true });
  const wire = [{ word: ' Hello', start: 0, end: 0.5 }];
  assert.deepEqual(results.segments, [{ start: 0, end: 4, text: ' Hello there', words: wire }]);
});

test('a task that fails later keeps its transcript, and the next attempt does not hear it again', async (t) => {
  let isBroken = true;
  const { run, told, steps } = await openPipeline(t, {
    answer(request) {
      if (request.schema !== undefined && isBroken) throw new AppError('model_crashed', 'It is gone.');
      return punctuate(request);
    },
  });
  await assert.rejects(run(), { code: 'model_crashed' });
  const kept = told()!;
  assert.deepEqual(kept.results, { raw_transcript: RAW, clean_transcript: CLEAN });
  assert.equal(kept.versions.asr_backend.name, 'whisper');
  isBroken = false;
  steps.length = 0;
  const output = await run({}, { earlier: kept as unknown as Json });
  assert.deepEqual(steps, ['free', 'clean', 'summarise']);
  assert.deepEqual(output.results, { clean_transcript: CLEAN, summary: NOTES });
  assert.equal(output.metrics.stages.asr!.is_reused, true);
  assert.equal(output.metrics.input_duration_seconds, 4);
});

test('what another version heard, or of another recording, is heard again', async (t) => {
  const { run, told, steps, scratch } = await openPipeline(t);
  await run();
  const kept = told() as unknown as { heard: { speech: { version: object } } };
  const version = { ...kept.heard.speech.version, checkpoint_hash: 'other' };
  const other = { ...kept, heard: { ...kept.heard, speech: { ...kept.heard.speech, version } } };
  for (const earlier of [other, { results: {} }, 'nonsense', { heard: { sourceBytes: 11 } }]) {
    steps.length = 0;
    await run({}, { earlier: earlier as unknown as Json });
    assert.ok(steps.includes('transcribe'));
  }
  await writeFile(join(scratch, 'raw.wav'), 'another recording');
  steps.length = 0;
  await run({}, { earlier: kept as unknown as Json });
  assert.ok(steps.includes('transcribe'));
});

test('a run ends with the reason when its progress is no longer taken', async (t) => {
  const { run } = await openPipeline(t, {
    async onUpdate({ progress, stage }) {
      if (progress !== undefined && stage === undefined)
        throw new AppError('claim_lost', 'It is another’s now.');
    },
    async transcribe(_path, _request, { signal, onProgress }) {
      onProgress(0.5);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw signal.reason;
    },
  });
  await assert.rejects(run(), { code: 'claim_lost' });
});

test('a cancelled run ends', async (t) => {
  const controller = new AbortController();
  const { run } = await openPipeline(t, {
    answer(request) {
      controller.abort();
      return punctuate(request);
    },
  });
  await assert.rejects(run({}, { signal: controller.signal }), { code: 'cancelled' });
});

test('an answer that is not valid is asked for again, with the reason and another seed', async (t) => {
  const answers: (Json | typeof CUT)[] = [{ title: 3 }, CUT, NOTES];
  const { run, asked } = await openPipeline(t, { answer: (_, call) => answers[call]! });
  const { results, metrics } = await run({ features: ['summary'] });
  assert.deepEqual(results.summary, NOTES);
  assert.deepEqual(
    asked.map(({ seed }) => seed),
    [1, 2, 3],
  );
  const [, second, third] = asked.map(({ messages }) => messages[0]!.content);
  assert.match(second!, /Your last answer was refused: .*must/);
  assert.match(third!, /Your last answer was refused: it did not end/);
  assert.equal(metrics.stages.summary!.answers, 3);
});

test('an answer that is never valid fails the task, and the transcript is kept', async (t) => {
  for (const [answer, code] of [
    [{ title: 3 }, 'invalid_output'],
    [CUT, 'output_truncated'],
  ] as const) {
    const { run, asked, told } = await openPipeline(t, { answer: () => answer });
    await assert.rejects(run({ features: ['summary'] }), { code });
    assert.equal(asked.length, 3);
    assert.equal(told()!.results.raw_transcript, RAW);
  }
});
