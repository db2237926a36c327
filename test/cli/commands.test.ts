import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { ERROR_CODES } from '../../src/base/errors.ts';
import { register as registerConfig } from '../../src/cli/config.ts';
import { EXIT_CODES } from '../../src/cli/exit-codes.ts';
import { register as registerImport } from '../../src/cli/import.ts';
import { register as registerModels } from '../../src/cli/models.ts';
import { register as registerPull } from '../../src/cli/pull.ts';
import { register as registerRm } from '../../src/cli/rm.ts';
import { ctranslate2Files, onnx, temporaryFolder, writeFiles } from '../store/fixtures.ts';
import { startHub } from '../store/servers.ts';
import { runCommands } from '../support/command-line.ts';
import { f32, ggufFile, i32, modelFields } from '../support/gguf.ts';

function commandLine(t: TestContext, env: Record<string, string> = {}) {
  return runCommands(t, {
    env,
    commands: [registerPull, registerModels, registerRm, registerImport, registerConfig],
  });
}

test('import, models and rm: a model comes, is listed, and goes', async (t) => {
  const percept = await commandLine(t);
  assert.match((await percept('models')).stderr, /No model is installed.*percept pull/s);
  const source = await writeFiles(await temporaryFolder(t), ctranslate2Files());
  assert.match(
    (await percept('import', 'base', source)).stdout,
    /^whisper-base is installed: 300 kB, import .*licence/,
  );
  assert.match((await percept('models')).stdout, /^NAME +SIZE.*\nwhisper-base +300 kB +ctranslate2/);
  const { installed, available } = JSON.parse((await percept('models', '--all', '--json')).stdout);
  assert.deepEqual([installed.length, installed[0].name], [1, 'whisper-base']);
  assert.ok(available.some((entry: { name: string }) => entry.name === 'whisper-large-v3-turbo'));
  assert.match((await percept('rm', 'base')).stdout, /base is removed/);
  await assert.rejects(percept('rm', 'base'), { code: 'model_not_installed' });
  await assert.rejects(percept('import', '../x', source), { code: 'invalid_request' });
});

test('pull shows progress beside the result, and only the result as JSON', async (t) => {
  const hub = await startHub(t, { repositories: { 'someone/tiny-whisper': ctranslate2Files() } });
  const percept = await commandLine(t, { HF_ENDPOINT: hub.url });
  await percept(
    'import',
    'silero-vad',
    await writeFiles(await temporaryFolder(t), { 'silero_vad_16k_sequence.onnx': onnx() }),
  );
  const shown = await percept('pull', 'someone/tiny-whisper-int8');
  assert.match(shown.stdout, /^someone\/tiny-whisper is installed: .*hub someone\/tiny-whisper, licence mit/);
  assert.match(shown.stderr, /someone\/tiny-whisper 100 %/);
  const json = await percept('pull', '--json', 'someone/tiny-whisper');
  assert.equal(JSON.parse(json.stdout)[0].source.id, 'someone/tiny-whisper');
  assert.equal(json.stderr, '');
  await assert.rejects(percept('pull', 'no-such-model'), { code: 'model_not_found' });
  await assert.rejects(percept('--offline', 'pull', 'tiny'), { code: 'offline' });
});

test('config shows value and origin, global options included', async (t) => {
  const percept = await commandLine(t, { PERCEPT_API_KEYS: 'hunter2' });
  const { stdout } = await percept('--data-dir', '/data', 'config');
  assert.match(stdout, /^KEY +VALUE +FROM\n/);
  assert.match(stdout, /\nhome +\/data +command line\n/);
  assert.match(stdout, /\nserver\.port +11437 +default\n/);
  assert.doesNotMatch(stdout, /hunter2/);
  const rows = JSON.parse((await percept('config', '--json')).stdout) as { key: string; origin: string }[];
  assert.equal(rows.find((row) => row.key === 'server.api_keys')?.origin, 'PERCEPT_API_KEYS');
  assert.match((await percept('config', '--markdown')).stdout, /^<!-- Generated/);
});

test('config --model shows who decided how a language model generates', async (t) => {
  const percept = await commandLine(t, { PERCEPT_LANGUAGE_TOP_P: '0.5' });
  const folder = await temporaryFolder(t);
  const sampling = { temp: f32(0.6), top_k: i32(20), min_p: f32(7) };
  await writeFiles(folder, {
    'm.gguf': ggufFile(modelFields(sampling)),
    'generation_config.json': Buffer.from('{"top_k": 30, "top_p": 0.8}'),
    'percept.yaml': Buffer.from('language: {max_tokens: 99}\n'),
  });
  await percept('import', 'my-model', folder);
  const file = join(folder, 'percept.yaml');
  const { stdout, stderr } = await percept('--config', file, 'config', '--model', 'my-model');
  const rows = stdout.split('\n').map((line) => line.split(/ {2,}/));
  assert.deepEqual(rows, [
    ['SETTING', 'VALUE', 'FROM'],
    ['temperature', '0.6', 'm.gguf: general.sampling.temp'],
    ['top_p', '0.5', 'PERCEPT_LANGUAGE_TOP_P'],
    ['top_k', '30', 'generation_config.json: top_k'],
    ['min_p', '0.05', 'library default'],
    ['repeat_penalty', '1', 'library default'],
    ['frequency_penalty', '0', 'library default'],
    ['presence_penalty', '0', 'library default'],
    ['max_tokens', '99', `${file}: language.max_tokens`],
    [''],
  ]);
  const problem = 'm.gguf: general.sampling.min_p is expected to be a number from 0 to 1, got 7.';
  assert.equal(stderr, `Not followed: ${problem}\n`);
  const json = await percept('config', '--model', 'my-model', '--json');
  const { settings, ...rest } = JSON.parse(json.stdout);
  assert.deepEqual(rest, { model: 'my-model', installed: true, skipped: [problem] });
  assert.deepEqual(settings[1], { key: 'top_p', value: 0.5, origin: 'PERCEPT_LANGUAGE_TOP_P' });
  assert.equal(json.stderr, '');
});

test('config --model shows what is known of a model that is not installed, and refuses what is no language model', async (t) => {
  const percept = await commandLine(t, { PERCEPT_LANGUAGE_TEMPERATURE: '0' });
  const { stdout, stderr } = await percept('config', '--model', 'phi-4-mini');
  assert.match(stdout, /\ntemperature +0 +PERCEPT_LANGUAGE_TEMPERATURE\ntop_p +0\.95 +library default\n/);
  assert.match(stderr, /^phi-4-mini is not installed, .*`percept pull phi-4-mini`\.\n$/);
  const json = JSON.parse((await percept('config', '--model', 'owner/some-model', '--json')).stdout);
  assert.deepEqual([json.model, json.installed], ['owner/some-model', false]);
  await assert.rejects(percept('config', '--model', 'whisper-base'), {
    code: 'invalid_request',
    param: 'model',
  });
  await assert.rejects(percept('config', '--model', 'phi-4-mni'), {
    code: 'model_not_found',
    message: /Did you mean phi-4-mini/,
  });
});

test('every error code has an exit code of 1 or 2', () => {
  for (const code of ERROR_CODES) assert.ok([1, 2].includes(EXIT_CODES[code]), code);
  assert.equal(Object.keys(EXIT_CODES).length, ERROR_CODES.length);
});
