import assert from 'node:assert/strict';
import test from 'node:test';
import { CATALOGUE, estimateMemoryBytes } from '../../src/store/catalogue.ts';
import { resolveName } from '../../src/store/names.ts';

const options = { defaultModel: 'whisper-base-int8', computeType: 'int8' } as const;

test('every spelling of a model leads to one name', () => {
  const cases: Record<string, string> = {
    'whisper-1': 'whisper-base-int8',
    base: 'whisper-base-int8',
    'whisper-base': 'whisper-base-int8',
    'whisper-base-int8': 'whisper-base-int8',
    'base-float32': 'whisper-base-float32',
    'Whisper-Base-FP32': 'whisper-base-float32',
    'openai/whisper-base': 'whisper-base-int8',
    'Systran/faster-whisper-base': 'whisper-base-int8',
    'systran/faster-whisper-tiny.en-float32': 'whisper-tiny.en-float32',
    'tiny.en': 'whisper-tiny.en-int8',
    large: 'whisper-large-v3-int8',
    'large-v3': 'whisper-large-v3-int8',
    'openai/whisper-large-v3-turbo': 'whisper-large-v3-turbo-int8',
    'large-v3-turbo': 'whisper-large-v3-turbo-int8',
    turbo: 'whisper-large-v3-turbo-int8',
    'erax-wow-turbo': 'erax-wow-turbo-int8',
    'erax-ai/EraX-WoW-Turbo-V1.1-CT2': 'erax-wow-turbo-int8',
    'distil-whisper/distil-large-v3': 'distil-large-v3-int8',
    'someone/their-Whisper': 'someone/their-Whisper-int8',
    'silero-vad': 'silero-vad',
  };
  for (const [written, name] of Object.entries(cases))
    assert.equal(resolveName(written, options).name, name, written);
});

test('a resolved name resolves to itself', () => {
  for (const entry of CATALOGUE) {
    const first = resolveName(entry.name, options);
    assert.equal(first.entry, entry);
    assert.deepEqual(resolveName(first.name, options), first);
  }
});

test('an unknown name is refused with what is near it', () => {
  assert.throws(() => resolveName('whisper-bsae', options), {
    code: 'model_not_found',
    message: /Did you mean whisper-base/,
  });
  for (const name of [
    '',
    'gpt-4o',
    '../etc/passwd',
    'a/b/c',
    'a/..',
    'constructor',
    '__proto__',
    'toString',
  ]) {
    assert.throws(() => resolveName(name, options), { code: 'model_not_found', param: 'model' }, name);
  }
  assert.throws(() => resolveName('whisper-1', { ...options, defaultModel: 'whisper-1' }), {
    code: 'model_not_found',
  });
});

test('a float32 model is expected to take more memory than an int8 one, a large one more than a base one', () => {
  const { entry } = resolveName('base', options);
  assert.ok(estimateMemoryBytes(entry, 'float32') > estimateMemoryBytes(entry, 'int8'));
  assert.ok(
    estimateMemoryBytes(resolveName('large', options).entry, 'int8') > estimateMemoryBytes(entry, 'int8'),
  );
});
