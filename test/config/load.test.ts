import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { AppError } from '../../src/base/errors.ts';
import { type LoadOptions, loadConfig } from '../../src/config/load.ts';

/** A home with the given files; the environment names nothing outside of it. */
function withHome(
  files: Record<string, string>,
  use: (home: string, env: Record<string, string>) => void,
): void {
  const home = mkdtempSync(join(tmpdir(), 'percept-config-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(home, name)), { recursive: true });
      writeFileSync(join(home, name), text);
    }
    use(home, { HOME: home, XDG_CONFIG_DIRS: join(home, 'xdg') });
  } finally {
    rmSync(home, { recursive: true });
  }
}

function refusal(options: LoadOptions): AppError {
  try {
    loadConfig(options);
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, 'invalid_config');
    return error;
  }
  assert.fail('the configuration was accepted');
}

test('nothing set gives every default, an absolute home and a frozen value', () => {
  withHome({}, (home, env) => {
    const { config, origins } = loadConfig({ env });
    assert.equal(config.home, join(home, '.local/share/percept'));
    assert.equal(config.server.port, 11_437);
    assert.equal(config.server.maxUploadBytes, 524_288_000);
    assert.equal(config.models.keepAlive, 300);
    assert.deepEqual(config.speech.temperatures, [0, 0.2, 0.4, 0.6, 0.8, 1]);
    assert.ok(config.models.threads >= 1 && config.models.threads <= 8);
    assert.ok(config.models.memoryBudgetBytes > 0);
    assert.equal(origins.get('server.port'), 'default');
    assert.throws(() => {
      (config.server as { port: number }).port = 1;
    }, TypeError);
    assert.ok(Object.isFrozen(config.speech.temperatures));
  });
});

test('the command line wins over the environment, that over the file, that over the default, key by key', () => {
  const files = {
    '.config/percept/percept.yaml':
      'server:\n  port: 1\n  host: file\nqueue: {max_depth: 1}\nspeech: {beam_size: 2}\n',
  };
  withHome(files, (home, base) => {
    const env = { ...base, PERCEPT_SERVER_PORT: '2', PERCEPT_SERVER_HOST: 'env' };
    const { config, origins } = loadConfig({ env, flags: { 'server.port': '3', 'server.host': undefined } });
    assert.equal(config.server.port, 3);
    assert.equal(config.server.host, 'env');
    assert.equal(config.queue.maxDepth, 1);
    assert.equal(config.speech.beamSize, 2);
    assert.equal(config.speech.batchSize, 3);
    assert.equal(origins.get('server.port'), 'command line');
    assert.equal(origins.get('server.host'), 'PERCEPT_SERVER_HOST');
    assert.equal(origins.get('queue.max_depth'), join(home, '.config/percept/percept.yaml'));
  });
});

test('text from the environment is read in the type of its key', () => {
  withHome({}, (_home, base) => {
    const env = {
      ...base,
      PERCEPT_OFFLINE: '1',
      PERCEPT_API_KEYS: 'one, two',
      PERCEPT_SPEECH_TEMPERATURES: '[0, 0.5]',
      PERCEPT_SPEECH_VAD_ENABLED: 'false',
      PERCEPT_MODELS_KEEP_ALIVE: '1h',
      PERCEPT_MODELS_KEEP_ALIVE_BY_MODEL: '{"whisper-tiny-int8": -1}',
      PERCEPT_SPEECH_LANGUAGE: 'de',
      PERCEPT_SOURCES_ORDER: 'index',
      PERCEPT_PORT: '',
    };
    const { config } = loadConfig({ env });
    assert.equal(config.offline, true);
    assert.deepEqual(config.server.apiKeys, ['one', 'two']);
    assert.deepEqual(config.speech.temperatures, [0, 0.5]);
    assert.equal(config.speech.vad.enabled, false);
    assert.equal(config.models.keepAlive, 3600);
    assert.deepEqual(config.models.keepAliveByModel, { 'whisper-tiny-int8': -1 });
    assert.equal(config.speech.language, 'de');
    assert.deepEqual(config.sources.order, ['index']);
    assert.equal(config.server.port, 11_437);
  });
});

test('generation settings are unset unless the environment or the file sets them', () => {
  const files = {
    '.config/percept/percept.yaml':
      'language: {top_p: 0.5, top_k: null, temperature: 1, template_file: {a: ~/a.jinja}}\n',
  };
  withHome(files, (home, base) => {
    const { language } = loadConfig({ env: { HOME: '/nowhere', XDG_CONFIG_DIRS: '/nowhere' } }).config;
    assert.deepEqual([language.temperature, language.topP, language.maxTokens], [null, null, null]);
    const env = { ...base, PERCEPT_LANGUAGE_TEMPERATURE: '0', PERCEPT_LANGUAGE_MAX_TOKENS: '16' };
    const { config, origins } = loadConfig({ env });
    const { temperature, topP, topK, maxTokens } = config.language;
    assert.deepEqual([temperature, topP, topK, maxTokens], [0, 0.5, null, 16]);
    assert.equal(origins.get('language.temperature'), 'PERCEPT_LANGUAGE_TEMPERATURE');
    assert.equal(origins.get('language.top_p'), join(home, '.config/percept/percept.yaml'));
    assert.equal(origins.get('language.min_p'), 'default');
    assert.deepEqual(config.language.templateFile, { a: join(home, 'a.jinja') });
    for (const value of ['hot', '2.1', 'null'])
      assert.match(
        refusal({ env: { ...base, PERCEPT_LANGUAGE_TEMPERATURE: value } }).message,
        /language\.temperature \(PERCEPT_LANGUAGE_TEMPERATURE\): expected number, 0 to 2/,
      );
    assert.match(
      refusal({ env: { ...base, PERCEPT_LANGUAGE_TOP_K: '1.5' } }).message,
      /expected whole number/,
    );
  });
});

test('the full name of a variable wins over its shorthand', () => {
  withHome({}, (_home, base) => {
    const env = { ...base, HF_ENDPOINT: 'http://a.test', PERCEPT_SOURCES_HUB_ENDPOINT: 'http://b.test' };
    assert.equal(loadConfig({ env }).config.sources.hubEndpoint, 'http://b.test');
    assert.equal(
      loadConfig({ env: { ...base, HF_ENDPOINT: 'http://a.test' } }).config.sources.hubEndpoint,
      'http://a.test',
    );
  });
});

test('an unknown variable refuses to start and names the nearest known one; test variables pass', () => {
  withHome({}, (_home, base) => {
    const error = refusal({ env: { ...base, PERCEPT_SERVER_PROT: '1' } });
    assert.match(error.message, /PERCEPT_SERVER_PROT.*Did you mean PERCEPT_SERVER_PORT/);
    loadConfig({ env: { ...base, PERCEPT_TEST_ANYTHING: '1' } });
  });
});

test('an unknown key or a bad value in a file refuses, naming key and file, even when overruled', () => {
  const path = '.config/percept/percept.yaml';
  const cases: [string, RegExp][] = [
    ['server: {prot: 1}', /server\.prot .*percept\.yaml.*server\.port/],
    [
      'server: {port: yes please}',
      /server\.port \(.*percept\.yaml\): expected whole number, 0 to 65535, got "yes please"/,
    ],
    ['server: 5', /server \(.*\): expected a group/],
    ['- a', /The file .*expected a group/],
    ['server: {port: 1', /not valid YAML/],
    ['a: 1\na: 2', /not valid YAML/],
  ];
  for (const [text, message] of cases) {
    withHome({ [path]: text }, (_home, env) => {
      assert.match(refusal({ env: { ...env, PERCEPT_PORT: '80' } }).message, message);
    });
  }
});

test('a bad value of every type is refused with what was expected', () => {
  const cases: [string, string, RegExp][] = [
    ['PERCEPT_PORT', '70000', /server\.port \(PERCEPT_PORT\): expected whole number, 0 to 65535, got 70000/],
    ['PERCEPT_OFFLINE', 'maybe', /true or false, got "maybe"/],
    ['PERCEPT_LOG_LEVEL', 'loud', /one of fatal, error/],
    ['PERCEPT_MODELS_KEEP_ALIVE', '5 moons', /duration/],
    ['HF_ENDPOINT', 'ftp://x', /http or https URL/],
    ['PERCEPT_SPEECH_TEMPERATURES', '0,hot', /list of: number/],
  ];
  withHome({}, (_home, base) => {
    for (const [variable, value, message] of cases) {
      assert.match(refusal({ env: { ...base, [variable]: value } }).message, message);
    }
  });
});

test('a refusal never shows a secret', () => {
  withHome({ '.config/percept/percept.yaml': 'server: {api_keys: hunter2}' }, (_home, env) => {
    assert.doesNotMatch(refusal({ env }).message, /hunter2/);
  });
  withHome({}, (_home, env) => {
    const url = 'https://me:hunter2@index.test:port/';
    assert.doesNotMatch(refusal({ env: { ...env, PIP_INDEX_URL: url } }).message, /hunter2/);
  });
});

test('a profile brings its defaults and its rendered JSON; a value that is set still wins', () => {
  const files = { 'xdg/hailo-whisper/hailo-whisper.json': '{"queue": {"max_depth": 7}}' };
  withHome(files, (_home, env) => {
    const whisper = loadConfig({ env: { ...env, PERCEPT_PROFILE: 'hailo-whisper' } });
    assert.equal(whisper.config.models.speech, 'whisper-small-int8');
    assert.equal(whisper.config.queue.maxDepth, 7);
    assert.equal(whisper.origins.get('models.speech'), 'profile hailo-whisper');
    assert.equal(loadConfig({ env, flags: { profile: 'maie' } }).config.server.port, 8000);
    assert.equal(loadConfig({ env, flags: { profile: 'hailo-clip' } }).config.server.port, 5000);
    assert.equal(loadConfig({ env, flags: { profile: 'maie', 'server.port': 1 } }).config.server.port, 1);
    assert.equal(loadConfig({ env }).config.queue.maxDepth, 32);
  });
});

test('--config names the only file, and must exist', () => {
  withHome(
    { 'mine.yaml': 'profile: maie\nhome: data', '.config/percept/percept.yaml': 'queue: {max_depth: 1}' },
    (home, env) => {
      const { config } = loadConfig({ env, configFile: 'mine.yaml', cwd: home });
      assert.equal(config.queue.maxDepth, 32);
      assert.equal(config.server.port, 8000);
      assert.equal(config.home, join(home, 'data'));
      assert.match(refusal({ env, configFile: join(home, 'none.yaml') }).message, /does not exist/);
    },
  );
});

test('the index of pip is used when Percept names none', () => {
  withHome(
    {
      '.config/pip/pip.conf':
        '[install]\nx = 1\n[global]\ntimeout = 1\nindex-url = https://mirror.test/simple\n',
    },
    (_home, env) => {
      assert.equal(loadConfig({ env }).config.sources.indexUrl, 'https://mirror.test/simple');
      const set = { ...env, PIP_INDEX_URL: 'https://other.test/simple' };
      assert.equal(loadConfig({ env: set }).config.sources.indexUrl, 'https://other.test/simple');
    },
  );
});

test('keys of tasks that do not fit together are refused, naming one of them', () => {
  withHome({}, (home, env) => {
    for (const [changes, param] of [
      [{ PERCEPT_TASKS_LEASE_SECONDS: '5', PERCEPT_TASKS_HEARTBEAT_SECONDS: '2' }, 'tasks.lease_seconds'],
      [{ PERCEPT_TASKS_RECORDINGS: 's3' }, 'tasks.s3.bucket'],
    ] as const) {
      const error = refusal({ env: { ...env, ...changes } });
      assert.deepEqual([error.code, error.param], ['invalid_config', param]);
    }
    const { config } = loadConfig({ env });
    assert.deepEqual(
      [config.tasks.directory, config.pipeline.templatesDirectory],
      [join(config.home, 'audio'), join(config.home, 'templates')],
    );
    assert.ok(config.home.startsWith(home));
  });
});
