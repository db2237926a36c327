import assert from 'node:assert/strict';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { finish, install } from '../../src/install/install.ts';
import { serviceNamed } from '../../src/install/services.ts';
import type { Check, CheckedModel } from '../../src/install/verified.ts';
import { verify } from '../../src/install/verify.ts';
import { readVersion } from '../../src/version.ts';
import { percept } from '../support/percept.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { installOptions, smallInstallation, write } from './small-installation.ts';

/** A user and a group of no rights. */
const NOBODY = 65_534;
const MODELS = new URL('../../../models/', import.meta.url);
const NAME = 'hailo-clip';
const YAML = `etc/hailo/${NAME}.yaml`;
const JSON_FILE = `etc/xdg/${NAME}/${NAME}.json`;
const UNIT = `etc/systemd/system/${NAME}.service`;
const TOY: CheckedModel = {
  name: 'clip-shapes-int8',
  state: 'whole',
  message: 'clip-shapes is whole',
  hearsEnglish: false,
  knowsExample: true,
};

interface Asked {
  readonly root: string;
  readonly url?: string;
  readonly apiKey?: string;
  readonly version?: string;
  readonly model?: CheckedModel;
  readonly label?: string;
}

function check({ root, url, apiKey, version, model = TOY, label }: Asked): Promise<readonly Check[]> {
  return verify({
    service: serviceNamed(NAME),
    root,
    url,
    apiKey,
    version: version ?? readVersion(),
    models: { check: async () => model },
    examples: {
      recording: { path: fileURLToPath(new URL('speech-example/speech.wav', MODELS)), words: '' },
      picture: {
        path: fileURLToPath(new URL('clip-shapes/examples/two-blue-squares.png', MODELS)),
        label: label ?? 'two blue squares',
        others: ['a red circle', 'three yellow stars', 'two blue squares'].filter((one) => one !== label),
      },
    },
    signal: AbortSignal.timeout(60_000),
  });
}

async function installed(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  const program = await smallInstallation(folder);
  const root = join(folder, 'root');
  await finish(await install(installOptions(program, root, NAME)));
  return root;
}

function wrong(checks: readonly Check[]): string[] {
  return checks.filter(({ state }) => state !== 'ok').map(({ state, id }) => `${state} ${id}`);
}

test('of a sound installation every check is ok', async (t) => {
  const checks = await check({ root: await installed(t) });
  assert.deepEqual(wrong(checks), []);
  assert.ok(checks.length >= 6, `${checks.length} checks`);
});

test('what is not installed is told of, and nothing else', async (t) => {
  const checks = await check({ root: await temporaryFolder(t) });
  assert.deepEqual(wrong(checks), ['fail not-installed']);
  assert.equal(checks[0]!.remedy, 'Install it with `sudo percept install hailo-clip`.');
});

interface Broken {
  readonly how: string;
  readonly breaks: (root: string) => Promise<unknown>;
  readonly found: readonly string[];
  readonly message: RegExp;
}

const KEYS = 'server:\n  api_keys: [one-of-ours]\n';

const BROKEN: readonly Broken[] = [
  {
    how: 'the unit is missing',
    breaks: (root) => rm(join(root, UNIT)),
    found: ['fail unit-missing'],
    message: /^\/etc\/systemd\/system\/hailo-clip\.service is not there\.$/,
  },
  {
    how: 'the unit was edited',
    breaks: (root) => write(root, { [UNIT]: '[Service]\nExecStart=/bin/true\n' }),
    found: ['fail unit-edited'],
    message: /is not as an installation writes it\.$/,
  },
  {
    how: 'the limits are others than the configuration’s',
    breaks: (root) => write(root, { [`${UNIT}.d/10-limits.conf`]: '[Service]\nMemoryMax=1\n' }),
    found: ['fail limits-differ'],
    message: /10-limits\.conf does not say what service\.\* of/,
  },
  {
    how: 'the service would not start with the machine',
    breaks: (root) => rm(join(root, `etc/systemd/system/multi-user.target.wants/${NAME}.service`)),
    found: ['warn not-enabled'],
    message: /^hailo-clip is not started with the machine\.$/,
  },
  {
    how: 'the YAML is broken',
    breaks: (root) => write(root, { [YAML]: 'server:\n  port: much\n' }),
    found: ['fail config-broken'],
    message:
      /^server\.port \(\/etc\/hailo\/hailo-clip\.yaml\): expected whole number, 0 to 65535, got "much"\.$/,
  },
  {
    how: 'the YAML is gone',
    breaks: (root) => rm(join(root, YAML)),
    found: ['fail config-missing'],
    message: /^\/etc\/hailo\/hailo-clip\.yaml is not there\.$/,
  },
  {
    how: 'the JSON is older than the YAML',
    breaks: (root) =>
      write(root, { [YAML]: 'server:\n  port: 5050\nservice:\n  memory_max_bytes: 3221225472\n' }),
    found: ['fail json-outdated'],
    message: /hailo-clip\.json does not say what \/etc\/hailo\/hailo-clip\.yaml says\.$/,
  },
  {
    how: 'the JSON is gone',
    breaks: (root) => rm(join(root, JSON_FILE)),
    found: ['fail json-missing'],
    message: /hailo-clip\.json is not there\.$/,
  },
  {
    how: 'everybody may read the keys',
    breaks: async (root) => {
      await write(root, { [YAML]: KEYS });
      await chmod(join(root, YAML), 0o644);
    },
    found: ['fail json-outdated', 'fail secrets-readable', 'fail limits-differ'],
    message: /^\/etc\/hailo\/hailo-clip\.yaml holds keys, and every user may read it\.$/,
  },
  {
    how: 'everybody may look into the data',
    breaks: (root) => chmod(join(root, `var/lib/${NAME}`), 0o755),
    found: ['fail data-open'],
    message: /^Every user may look into \/var\/lib\/hailo-clip\.$/,
  },
  {
    how: 'a data directory is gone',
    breaks: (root) => rm(join(root, `var/lib/${NAME}/cache`), { recursive: true }),
    found: ['fail data-missing'],
    message: /^\/var\/lib\/hailo-clip\/cache is not there\.$/,
  },
  {
    how: 'the program is gone',
    breaks: (root) => rm(join(root, `opt/${NAME}/current`)),
    found: ['fail program-missing'],
    message: /current\/dist\/src\/main\.js is not there/,
  },
];

for (const { how, breaks, found, message } of BROKEN) {
  test(`${how}: ${found.join(', ')}`, async (t) => {
    const root = await installed(t);
    await breaks(root);
    const checks = await check({ root });
    assert.deepEqual(wrong(checks), found);
    const messages = checks.filter(({ state }) => state !== 'ok').map((one) => one.message);
    assert.ok(
      messages.some((one) => message.test(one)),
      messages.join('\n'),
    );
    for (const { state, remedy } of checks) assert.equal(remedy === '', state === 'ok');
  });
}

test('a record that is damaged does not hide the rest', async (t) => {
  const root = await installed(t);
  await writeFile(join(root, `opt/${NAME}/installed.json`), '{');
  assert.deepEqual(wrong(await check({ root })), ['fail program-missing']);
});

test('a model that is missing or damaged is named', async (t) => {
  const root = await installed(t);
  for (const state of ['missing', 'damaged'] as const) {
    const message = `clip-shapes is ${state}`;
    const checks = await check({ root, model: { ...TOY, state, message } });
    assert.deepEqual(wrong(checks), [`fail model-${state}`]);
    assert.equal(checks.find(({ id }) => id === `model-${state}`)!.message, message);
  }
});

test('nothing listens, or another program does', async (t) => {
  const root = await installed(t);
  const other = createServer((_request, response) => response.end('It works!'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  assert.deepEqual(wrong(await check({ root, url })), ['fail other-program']);
  await new Promise((resolve) => other.close(resolve));
  const [silent] = (await check({ root, url })).filter(({ state }) => state === 'fail');
  assert.deepEqual([silent!.id, silent!.message], ['no-answer', `Nothing answers at ${url}.`]);
});

/** The real service, with the model that comes with Percept and, unless it is said otherwise, a key. */
async function running(t: TestContext, vision: string): Promise<string> {
  const { start } = await percept(t, {
    PERCEPT_API_KEYS: 'right',
    PERCEPT_MODELS_VISION: vision,
    PERCEPT_LOG_FORMAT: 'json',
  });
  const child = start('serve', '--profile', NAME, '--port', '0');
  for await (const line of createInterface({ input: child.stderr! })) {
    const { msg, url } = JSON.parse(line) as { msg: string; url: string };
    if (msg === 'listening') return url;
  }
  throw new Error('it ended');
}

async function untilReady(url: string): Promise<void> {
  while ((await fetch(`${url}/health/ready`)).status !== 200)
    await new Promise((resolve) => setTimeout(resolve, 50));
}

test('a running service is asked a real question', async (t) => {
  const root = await installed(t);
  const url = await running(t, 'clip-shapes');
  await untilReady(url);
  const sound = await check({ root, url, apiKey: 'right' });
  assert.deepEqual(wrong(sound), []);
  assert.match(sound.at(-1)!.message, /^clip-shapes-int8 saw two blue squares \(\d\.\d\d\)$/);

  const refused = (await check({ root, url, apiKey: 'wrong' })).at(-1)!;
  assert.deepEqual([refused.name, refused.id], ['models', 'key-refused']);
  assert.match(refused.message, /The API key is not one of this server\./);

  const older = await check({ root, url, apiKey: 'right', version: '9.9.9' });
  assert.deepEqual(wrong(older), ['warn old-version-runs']);

  const misled = await check({ root, url, apiKey: 'right', label: 'a purple heart' });
  assert.deepEqual(wrong(misled), ['fail answer-wrong']);

  const model = { ...TOY, name: 'clip-of-nobody' };
  const unknown = await check({ root, url, apiKey: 'right', model });
  assert.deepEqual(wrong(unknown), ['fail model-not-listed', 'fail request-failed']);
  assert.match(
    unknown.at(-1)!.message,
    /^It answered 404 \(model_not_found\): There is no model "clip-of-nobody"/,
  );
});

test('a service whose model cannot be had says why', async (t) => {
  const root = await installed(t);
  const url = await running(t, 'clip-vit-b-32');
  const checks = await check({ root, url, apiKey: 'right', model: { ...TOY, name: 'clip-vit-b-32-int8' } });
  const notReady = checks.find(({ id }) => id === 'not-ready')!;
  assert.match(notReady.message, /^It answered 503 \(model_loading\): /);
  assert.deepEqual(wrong(checks), ['fail not-ready', 'fail model-not-listed', 'fail request-failed']);
});

test('a user who may not look is told so, and what can be checked is', {
  skip: process.getuid?.() !== 0 && 'needs root to become another user',
}, async (t) => {
  const root = await installed(t);
  await chmod(join(root, '..'), 0o755);
  const groups = process.getgroups!();
  process.setgroups!([NOBODY]);
  process.setegid!(NOBODY);
  process.seteuid!(NOBODY);
  try {
    const checks = await check({ root });
    assert.deepEqual([...new Set(wrong(checks))], ['warn not-seen']);
    assert.ok(checks.some(({ name, state }) => name === 'program' && state === 'ok'));
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
    process.setgroups!(groups);
  }
});
