import assert from 'node:assert/strict';
import test from 'node:test';
import type { WritingRequest } from '../../src/intelligence/tools.ts';
import type { Json } from '../../src/jobs/task.ts';
import { NOTES, openPipeline, speechOf, transcriptIn } from './tools.ts';

const SUMMARY = { features: ['summary'] } as const;
const SENTENCES = Array.from(
  { length: 200 },
  (_, index) => ` Speaker ${index} wants to build the bridge of wood.`,
);

/** The numbers of all speakers that the prompt tells of, as topics; forms of parts tell them too. */
function speakersIn({ messages }: WritingRequest): string[] {
  const text = messages[0]!.content;
  return [...text.matchAll(/Speaker (\d+) /g)].map(([, number]) => number!);
}

/** Notes that keep the first and the last speaker of what was read. */
function firstAndLast(request: WritingRequest): Json {
  const numbers = speakersIn(request);
  const topics = [numbers[0]!, numbers.at(-1)!].map((number) => `Speaker ${number} spoke`);
  return { ...NOTES, topics };
}

test('a long transcript is summarised in parts that hold all of it, and the parts are put together', async (t) => {
  const { run, asked } = await openPipeline(t, {
    speech: speechOf(...SENTENCES),
    contextTokens: 1200,
    answer: firstAndLast,
  });
  const { results, metrics, versions } = await run(SUMMARY);
  const parts = asked.filter((request) => transcriptIn(request) !== '');
  assert.equal(metrics.stages.summary!.parts, parts.length);
  assert.ok(parts.length > 2, `${parts.length} parts`);
  const read = parts.map((request) => transcriptIn(request)).join(' ');
  assert.equal(read, SENTENCES.join('').trim());
  for (const [index, request] of parts.entries()) {
    const { content } = request.messages[0]!;
    assert.match(content, new RegExp(`part ${index + 1} of them alone`));
    assert.match(transcriptIn(request), /wood\.$/);
  }
  assert.deepEqual((results.summary as { topics: Json }).topics, ['Speaker 0 spoke', 'Speaker 199 spoke']);
  assert.deepEqual(Object.keys(versions.summarization_llm!.prompt_hashes), [
    'meeting_notes_v1',
    'summary_part_v1',
    'summary_merge_v1',
  ]);
});

test('every question leaves room for its answer', async (t) => {
  const contextTokens = 1200;
  const { run, asked } = await openPipeline(t, {
    speech: speechOf(...SENTENCES),
    contextTokens,
    answer: firstAndLast,
  });
  await run(SUMMARY);
  for (const { messages, settings } of asked) {
    const promptTokens = messages[0]!.content.split(/\s+/).length;
    assert.ok(promptTokens + settings.maxTokens! <= contextTokens);
  }
});

test('summaries of parts that do not fit together at once are put together in rounds', async (t) => {
  const wordy = (request: WritingRequest) => ({
    ...(firstAndLast(request) as object),
    summary: 'word '.repeat(100).trim(),
  });
  const { run, asked } = await openPipeline(t, {
    speech: speechOf(...SENTENCES),
    contextTokens: 900,
    answer: wordy,
  });
  const { results } = await run(SUMMARY);
  const merges = asked.filter((request) => transcriptIn(request) === '');
  assert.ok(merges.length > 1, `${merges.length} merges`);
  assert.deepEqual((results.summary as { topics: Json }).topics, ['Speaker 0 spoke', 'Speaker 199 spoke']);
});

test('two summaries that do not fit together are an error with the remedy, and so are instructions that fill the context', async (t) => {
  const huge = { ...NOTES, decisions: Array.from({ length: 8 }, () => 'a '.repeat(80).trim()) };
  const { run } = await openPipeline(t, {
    speech: speechOf(...SENTENCES),
    contextTokens: 1200,
    answer: () => huge,
  });
  await assert.rejects(run(SUMMARY), { code: 'context_exceeded', message: /language\.context_tokens/ });
  const narrow = await openPipeline(t, { contextTokens: 300 });
  await assert.rejects(narrow.run(SUMMARY), { code: 'context_exceeded' });
  const greedy = await openPipeline(t, {
    settings: { summary: { model: undefined, settings: { maxTokens: 5000 }, retries: 0 } },
  });
  await assert.rejects(greedy.run(SUMMARY), { message: /pipeline\.summary\.max_tokens/ });
});
