/** What can be told of the image and the composition without a Docker daemon. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { readEnvironment } from '../../src/config/environment.ts';
import { listKeys, SHORTHANDS } from '../../src/config/keys.ts';
import { loadConfig } from '../../src/config/load.ts';
import { percept } from '../support/percept.ts';

const ROOT = new URL('../../../', import.meta.url);
const COMPOSE = fileURLToPath(new URL('deploy/compose.yaml', ROOT));

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly user: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly restart: string;
  readonly command: string | readonly string[];
  readonly healthcheck: { readonly test: readonly string[] };
  readonly deploy: { readonly resources: { readonly limits: Readonly<Record<string, unknown>> } };
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly networks: readonly string[];
}

interface Composition {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: object;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
}

const { services, volumes, networks } = parse(await readFile(COMPOSE, 'utf8'), {
  merge: true,
}) as Composition;
const ours = Object.entries(services).filter(([, { build }]) => build !== undefined);
const dockerfile = (await readFile(new URL('deploy/Dockerfile', ROOT), 'utf8')).replaceAll('\\\n', '');
const instructions = dockerfile
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => ({ name: line.split(' ')[0]!, rest: line.slice(line.indexOf(' ') + 1).trim() }));

/** Lists of words after one instruction; the last is what the image has. */
const lists = (name: string) =>
  instructions.filter((one) => one.name === name).map(({ rest }) => JSON.parse(rest) as string[]);

for (const [name, service] of Object.entries(services)) {
  test(`${name} has no more rights than it needs, limits, a health check, and comes back`, () => {
    assert.match(service.user, /^[1-9]\d*:[1-9]\d*$/);
    assert.equal(service.read_only, true);
    assert.deepEqual(service.cap_drop, ['ALL']);
    assert.deepEqual(service.security_opt, ['no-new-privileges:true']);
    assert.equal(service.restart, 'unless-stopped');
    assert.match(service.healthcheck.test[0]!, /^CMD(-SHELL)?$/);
    for (const limit of ['cpus', 'memory', 'pids']) assert.ok(service.deploy.resources.limits[limit], limit);
    assert.doesNotMatch(service.image, /:latest$|^[^:]*$/);
  });
}

test('Redis forgets nothing by itself, and only the services reach it', () => {
  const { command, networks: its } = services['redis']!;
  for (const words of ['--appendonly yes', '--maxmemory-policy noeviction', '--appendfsync everysec'])
    assert.ok(String(command).includes(words), words);
  assert.deepEqual(its, ['queue']);
  assert.equal(networks['queue']?.internal, true);
});

test('every variable is one of the configuration, with a value that fits', () => {
  const known = new Set([...listKeys().map(({ variable }) => variable), ...Object.keys(SHORTHANDS)]);
  const ofImage = instructions
    .filter(({ name }) => name === 'ENV')
    .flatMap(({ rest }) => rest.split(' '))
    .map((pair) => pair.split('=') as [string, string]);
  for (const [name, { environment = {} }] of ours) {
    const env = { ...Object.fromEntries(ofImage), ...environment };
    const unknown = Object.keys(env).filter((one) => one.startsWith('PERCEPT_') && !known.has(one));
    assert.deepEqual(unknown, [], name);
    const given = Object.entries(env).map(([variable, value]) => [variable, filled(value)]);
    const { config } = loadConfig({
      env: { HOME: '/data', ...Object.fromEntries(given) },
      configFile: '/dev/null',
    });
    assert.deepEqual([config.home, config.tasks.queue, config.tasks.runHere], ['/data', 'redis', false]);
  }
});

test('keys of clients are given to the server alone, and it does not start without', () => {
  const variable = 'PERCEPT_SERVER_API_KEYS';
  assert.match(services['api']!.environment![variable]!, /^\$\{PERCEPT_API_KEYS:\?/);
  assert.equal(services['worker']!.environment![variable], undefined);
});

/** As Compose fills it where nothing is set but what must be. */
function filled(value: string): string {
  return value.replace(/\$\{\w+(?::-(.*?)|:\?.*?)?\}/g, (_, fallback?: string) => fallback ?? 'x'.repeat(32));
}

test('volumes are declared, and belong to the user of the image', () => {
  const made = instructions.filter(({ name }) => name === 'RUN').map(({ rest }) => rest);
  const owned = /install -d -o percept -g percept ([^&]*)/.exec(made.join('\n'))![1]!.trim().split(' ');
  for (const [, { volumes: mounts = [], user }] of ours) {
    assert.equal(user, instructions.findLast(({ name }) => name === 'USER')!.rest);
    for (const mount of mounts) {
      const [source, target = source] = mount.split(':') as [string, string?];
      assert.ok(owned.includes(target), mount);
      if (source.startsWith('.')) assert.ok(existsSync(new URL(`deploy/${source}`, ROOT)), mount);
      else if (!source.startsWith('/')) assert.ok(Object.hasOwn(volumes, source), mount);
    }
  }
});

test('everything that is copied into the image is there, and is not kept from it', async () => {
  const allowed = (await readFile(new URL('deploy/Dockerfile.dockerignore', ROOT), 'utf8'))
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  const sources = instructions
    .filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from'))
    .flatMap(({ rest }) => rest.split(' ').slice(0, -1));
  assert.ok(sources.includes('src') && sources.includes('templates'));
  for (const source of sources) {
    assert.ok(existsSync(new URL(source, ROOT)), source);
    assert.ok(allowed.includes(source), source);
  }
});

test('every command that a container starts is one of the command line, with its options', async (t) => {
  const { run } = await percept(t);
  const entry = lists('ENTRYPOINT').at(-1)!;
  assert.deepEqual(entry.slice(-2), ['node', 'dist/src/main.js']);
  const commands = [lists('CMD').at(-1)!, ...ours.map(([, { command }]) => command as readonly string[])];
  const checks = ours
    .map(([, { healthcheck }]) => healthcheck.test)
    .filter((words) => words.includes('dist/src/main.js'))
    .map((words) => words.slice(words.indexOf('dist/src/main.js') + 1));
  assert.equal(checks.length, 1);
  for (const words of [...commands, ...checks]) {
    const { code, stdout } = await run(words[0]!, '--help');
    assert.equal(code, 0, words.join(' '));
    for (const option of words.filter((word) => word.startsWith('--')))
      assert.ok(stdout.includes(option), option);
  }
});

test('the health check of the server asks a route that is open, on its own port', () => {
  const { healthcheck, command } = services['api']!;
  const port = command[command.indexOf('--port') + 1];
  assert.ok(healthcheck.test.join(' ').includes(`http://127.0.0.1:${port}/health/ready`));
  assert.ok(!healthcheck.test.join(' ').includes('KEY'));
});

test('docker compose reads the file as we do', { skip: whyNoCompose() }, () => {
  const env = { ...readEnvironment(), PERCEPT_API_KEYS: 'k'.repeat(32) };
  const words = ['compose', '-f', COMPOSE, 'config', '--format', 'json'];
  const read = JSON.parse(execFileSync('docker', words, { env, encoding: 'utf8' })) as Composition;
  assert.deepEqual(Object.keys(read.services).sort(), Object.keys(services).sort());
  for (const { read_only } of Object.values(read.services)) assert.equal(read_only, true);
});

function whyNoCompose(): string | false {
  try {
    execFileSync('docker', ['compose', 'version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'needs docker with its compose plugin';
  }
}
