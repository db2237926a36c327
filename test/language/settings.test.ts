import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { AppError } from '../../src/base/errors.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { GenerationSettings } from '../../src/language/generation.ts';
import { readModelFacts } from '../../src/language/model-facts.ts';
import {
  configLayer,
  requestLayer,
  resolveSettings,
  SETTING_NAMES,
  type SettingName,
  type SettingsLayer,
} from '../../src/language/settings.ts';
import { type InstalledModel, openStore } from '../../src/store/store.ts';
import { storeOptions, temporaryFolder, writeFiles } from '../store/fixtures.ts';
import * as gguf from '../support/gguf.ts';
import { temporaryFile } from '../support/temporary.ts';

const DEFAULTS: GenerationSettings = {
  temperature: 0.7,
  topP: 0.95,
  topK: 40,
  minP: 0.05,
  repeatPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  maxTokens: 2048,
};

/** A model with these words of its makers, installed in a store of the test's own. */
async function install(
  t: TestContext,
  sampling: Readonly<Record<string, gguf.GgufField>>,
  generationConfig?: string,
): Promise<InstalledModel> {
  const store = openStore(storeOptions(await temporaryFolder(t)));
  t.after(() => store.close());
  const weights = { 'tiny.gguf': gguf.ggufFile(gguf.modelFields(sampling)) };
  const beside =
    generationConfig === undefined ? {} : { 'generation_config.json': Buffer.from(generationConfig) };
  return store.import('my-model', await writeFiles(await temporaryFolder(t), { ...weights, ...beside }));
}

function values(layer: SettingsLayer | undefined) {
  return Object.fromEntries([...(layer ?? [])].map(([name, { value, origin }]) => [name, [value, origin]]));
}

test('where nobody says anything every setting is the library default', () => {
  const { settings, origins } = resolveSettings([]);
  assert.deepEqual(settings, DEFAULTS);
  for (const name of SETTING_NAMES) assert.equal(origins[name], 'library default');
});

test('request, environment, file, generation_config.json, GGUF and library default: the first that says a value wins', async (t) => {
  const yaml = 'language:\n  temperature: 0.3\n  top_p: 0.3\n  top_k: 3\n  min_p: null\n';
  const configFile = await temporaryFile(t, 'percept.yaml', Buffer.from(yaml));
  const loaded = loadConfig({
    env: { HOME: '/nowhere', PERCEPT_LANGUAGE_TEMPERATURE: '0.2', PERCEPT_LANGUAGE_TOP_P: '0.2' },
    configFile,
  });
  const ownConfig = { temperature: 0.4, top_p: 0.4, top_k: 4, min_p: 0.4, repetition_penalty: null };
  const five = { temp: 0.5, top_p: 0.5, min_p: 0.5, penalty_repeat: 1.5 };
  const sampling = Object.fromEntries(Object.entries(five).map(([key, value]) => [key, gguf.f32(value)]));
  const model = await install(t, { ...sampling, top_k: gguf.i32(5) }, JSON.stringify(ownConfig));
  const { layers } = await readModelFacts(model);
  const { settings, origins } = resolveSettings([
    requestLayer({ temperature: 0.1, topP: undefined }),
    configLayer(loaded),
    ...layers,
  ]);
  assert.deepEqual(settings, {
    ...DEFAULTS,
    temperature: 0.1,
    topP: 0.2,
    topK: 3,
    minP: 0.4,
    repeatPenalty: 1.5,
  });
  assert.deepEqual(origins, {
    temperature: 'request',
    topP: 'PERCEPT_LANGUAGE_TOP_P',
    topK: `${configFile}: language.top_k`,
    minP: 'generation_config.json: min_p',
    repeatPenalty: 'tiny.gguf: general.sampling.penalty_repeat',
    frequencyPenalty: 'library default',
    presencePenalty: 'library default',
    maxTokens: 'library default',
  });
});

test('each setting falls through by itself, whichever layers say it', () => {
  // Every setting with every subset of five layers: the first of the subset wins, and no other setting moves.
  for (const name of SETTING_NAMES) {
    for (let subset = 0; subset < 2 ** 5; subset += 1) {
      const layers = Array.from({ length: 5 }, (_, index): SettingsLayer => {
        const says = (subset >> index) & 1;
        return new Map(says ? [[name, { value: index + 1, origin: `layer ${index}` }]] : []);
      });
      const first = Array.from({ length: 5 }, (_, index) => index).find((index) => (subset >> index) & 1);
      const { settings, origins } = resolveSettings(layers);
      const expected = first === undefined ? DEFAULTS : { ...DEFAULTS, [name]: first + 1 };
      assert.deepEqual(settings, expected);
      assert.equal(origins[name], first === undefined ? 'library default' : `layer ${first}`);
    }
  }
});

test('zero is a value, and not an unset one', () => {
  const zeros = { temperature: 0, topK: 0, minP: 0, frequencyPenalty: 0 };
  const other: SettingsLayer = new Map([['topK', { value: 7, origin: 'model' }]]);
  assert.equal(resolveSettings([requestLayer(zeros), other]).settings.topK, 0);
  assert.equal(resolveSettings([requestLayer(zeros)]).settings.temperature, 0);
});

const REFUSED: readonly (readonly [SettingName, number, string])[] = [
  ['temperature', -0.1, 'temperature is expected to be a number from 0 to 2, got -0.1.'],
  ['temperature', Number.NaN, 'temperature is expected to be a number from 0 to 2, got NaN.'],
  ['topP', 1.1, 'top_p is expected to be a number from 0 to 1, got 1.1.'],
  ['topK', 1.5, 'top_k is expected to be a whole number from 0 to 1000000, got 1.5.'],
  ['minP', 2, 'min_p is expected to be a number from 0 to 1, got 2.'],
  ['repeatPenalty', 0, 'repeat_penalty is expected to be a number from 0.1 to 10, got 0.'],
  ['frequencyPenalty', -2.5, 'frequency_penalty is expected to be a number from -2 to 2, got -2.5.'],
  ['presencePenalty', 3, 'presence_penalty is expected to be a number from -2 to 2, got 3.'],
  ['maxTokens', 0, 'max_tokens is expected to be a whole number from 1 to 10000000, got 0.'],
  [
    'maxTokens',
    Number.POSITIVE_INFINITY,
    'max_tokens is expected to be a whole number from 1 to 10000000, got Infinity.',
  ],
];

for (const [name, value, message] of REFUSED) {
  test(`a request for ${name} ${value} is refused by its name`, () => {
    assert.throws(
      () => requestLayer({ [name]: value }),
      (error) => {
        assert.ok(error instanceof AppError);
        assert.deepEqual([error.code, error.message], ['invalid_request', message]);
        assert.equal(error.param, message.split(' ')[0]);
        return true;
      },
    );
  });
}

test('a generation_config.json is read by the names of Hugging Face', async (t) => {
  const text = JSON.stringify({
    bos_token_id: 1,
    do_sample: true,
    temperature: 0.6,
    top_p: 0.9,
    top_k: 20,
    min_p: 0,
    repetition_penalty: 1.05,
    max_new_tokens: 512,
    max_length: 4096,
  });
  const { layers, skipped } = await readModelFacts(await install(t, {}, text));
  const from = (key: string) => `generation_config.json: ${key}`;
  assert.deepEqual(values(layers[0]), {
    temperature: [0.6, from('temperature')],
    topP: [0.9, from('top_p')],
    topK: [20, from('top_k')],
    minP: [0, from('min_p')],
    repeatPenalty: [1.05, from('repetition_penalty')],
    maxTokens: [512, from('max_new_tokens')],
  });
  assert.deepEqual([values(layers[1]), skipped], [{}, []]);
});

test('a model whose makers do not sample takes the likeliest token, whatever temperature they leave beside', async (t) => {
  const model = await install(t, { temp: gguf.f32(0.8) }, '{"do_sample": false, "temperature": 0.6}');
  const { settings, origins } = resolveSettings((await readModelFacts(model)).layers);
  assert.equal(settings.temperature, 0);
  assert.equal(origins.temperature, 'generation_config.json: do_sample');
});

test('what a model says that cannot be is skipped and listed, and falls through', async (t) => {
  const text = JSON.stringify({ temperature: 'hot', top_k: -1, top_p: 0.9, max_new_tokens: 1.5, min_p: [1] });
  const sampling = {
    temp: gguf.f32(0.5),
    top_k: gguf.text('x'.repeat(100)),
    penalty_repeat: gguf.f32(Number.NaN),
  };
  const { layers, skipped } = await readModelFacts(await install(t, sampling, text));
  const { settings } = resolveSettings(layers);
  assert.deepEqual(settings, { ...DEFAULTS, temperature: 0.5, topP: 0.9 });
  assert.deepEqual([...skipped].sort(), [
    'generation_config.json: max_new_tokens is expected to be a whole number from 1 to 10000000, got 1.5.',
    'generation_config.json: min_p is expected to be a number from 0 to 1, got [1].',
    'generation_config.json: temperature is expected to be a number from 0 to 2, got "hot".',
    'generation_config.json: top_k is expected to be a whole number from 0 to 1000000, got -1.',
    'tiny.gguf: general.sampling.penalty_repeat is expected to be a number from 0.1 to 10, got NaN.',
    `tiny.gguf: general.sampling.top_k is expected to be a whole number from 0 to 1000000, got "${'x'.repeat(59)}….`,
  ]);
});

test('a generation_config.json that is no object is skipped as a whole', async (t) => {
  const { layers, skipped } = await readModelFacts(await install(t, {}, '[1]'));
  assert.deepEqual(skipped, ['generation_config.json is not a JSON object.']);
  assert.deepEqual(resolveSettings(layers).settings, DEFAULTS);
});

test('the first part of a model in parts describes it', async (t) => {
  const store = openStore(storeOptions(await temporaryFolder(t)));
  t.after(() => store.close());
  const part = (number: number) => `m-Q4_K_M-0000${number}-of-00002.gguf`;
  const source = await writeFiles(await temporaryFolder(t), {
    [part(1)]: gguf.ggufFile(gguf.modelFields({ temp: gguf.f32(0.4) })),
    [part(2)]: gguf.ggufFile([['split.no', gguf.u32(1)]]),
  });
  const { description, layers } = await readModelFacts(await store.import('my-model', source));
  assert.deepEqual([description.name, description.contextTokens], ['Tiny', 8192]);
  assert.deepEqual(values(layers[0]), { temperature: [0.4, `${part(1)}: general.sampling.temp`] });
});

test('weights that cannot be read are named', async (t) => {
  const model = await install(t, {});
  await writeFiles(model.directory, { 'tiny.gguf': gguf.ggufFile([], { keys: 5n }) });
  await assert.rejects(readModelFacts(model), {
    code: 'unsupported_model',
    message: new RegExp(`^${join(model.directory, 'tiny.gguf')} is not a GGUF file`),
  });
});
