import assert from 'node:assert/strict';
import test from 'node:test';
import { readTaskInput, type TaskInput, writeTaskInput } from '../../src/intelligence/task-input.ts';

const INPUT: TaskInput = {
  features: ['raw_transcript', 'summary'],
  templateId: 'podcast_v1',
  language: 'vi',
  speechModel: null,
  wordTimestamps: true,
  fileName: 'Họp.mp3',
  webhookUrl: 'https://example.com/hook',
};

test('an input comes back from JSON as it was', () => {
  assert.deepEqual(readTaskInput(JSON.parse(JSON.stringify(writeTaskInput(INPUT)))), INPUT);
});

test('equal wishes are equal JSON, whatever their order', () => {
  const features = ['summary', 'raw_transcript', 'summary'] as const;
  assert.equal(JSON.stringify(writeTaskInput({ ...INPUT, features })), JSON.stringify(writeTaskInput(INPUT)));
});

test('what another version wrote is refused with what does not fit', () => {
  const json = writeTaskInput(INPUT);
  const { templateId: _, ...less } = json;
  for (const other of [
    { ...json, format: 2 },
    { ...json, speed: 2 },
    { ...json, features: ['dance'] },
    less,
    null,
    'x',
  ])
    assert.throws(() => readTaskInput(other), { code: 'invalid_request', message: /another version/ });
});
