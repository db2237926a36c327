/** `percept doctor`: what works on this machine, and what to do about the rest. */
import { access, constants, mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { findFfmpeg } from '../audio/ffmpeg.ts';
import { openOnnxSession } from '../backends/onnx.ts';
import { toAppError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import { GraphBuilder } from '../graphs/graph-builder.ts';
import { linear } from '../graphs/layers.ts';
import type { CliContext } from './context.ts';
import { checkHailo } from './hailo-check.ts';
import { formatBytes } from './units.ts';

interface Finding {
  readonly name: string;
  /** `warn` works with less; `fail` does not work. */
  readonly state: 'ok' | 'warn' | 'fail';
  readonly message: string;
}

type Check = (config: Config, context: CliContext) => Promise<Omit<Finding, 'name'>>;

const CHECKS: Readonly<Record<string, Check>> = {
  'Node.js': checkNode,
  'ONNX Runtime': checkOnnx,
  Hailo: checkHailo,
  ffmpeg: checkFfmpeg,
  'data directory': checkHome,
  'disk space': checkDisk,
  memory: checkMemory,
  models: checkModels,
  sources: checkSources,
  port: checkPort,
};

/** Space for the default model, its download and its converted graphs. */
const COMFORTABLE_BYTES = 1e9;
const PROBE_TIMEOUT_MS = 5000;

export function register(program: Command, context: CliContext): void {
  program
    .command('doctor')
    .description('what works on this machine, and what to do about the rest')
    .option('--json', 'print the findings as JSON')
    .action((options: { json?: true }) => doctor(options.json === true, context));
}

async function doctor(asJson: boolean, context: CliContext): Promise<void> {
  const { config } = context.loadConfig();
  const findings: Finding[] = [];
  for (const [name, check] of Object.entries(CHECKS)) {
    const finding = await check(config, context).catch((thrown: unknown) => fail(toAppError(thrown).message));
    findings.push({ name, ...finding });
    if (!asJson) context.stdout.write(`${finding.state.padEnd(5)} ${name.padEnd(15)} ${finding.message}\n`);
  }
  if (asJson) context.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
  if (findings.some(({ state }) => state === 'fail')) context.fail();
}

const ok = (message: string) => ({ state: 'ok', message }) as const;
const warn = (message: string) => ({ state: 'warn', message }) as const;
const fail = (message: string) => ({ state: 'fail', message }) as const;

async function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const found = `${process.versions.node} on ${process.platform} ${process.arch}`;
  if (major > 20 || (major === 20 && minor >= 19)) return ok(found);
  return fail(`${found}; 20.19 or newer is needed. Install it from https://nodejs.org.`);
}

/** Builds a small int8 graph, loads it and runs it: the same path that a model takes. */
async function checkOnnx() {
  const directory = await mkdtemp(join(tmpdir(), 'percept-doctor-'));
  try {
    const size = 128;
    const layer = {
      weight: new Float32Array(size * size).fill(0.5),
      bias: undefined,
      inputSize: size,
      outputSize: size,
    };
    const graph = new GraphBuilder('doctor');
    const x = graph.input('x', 'float32', [1, size]);
    graph.output('y', linear(graph, x, { layer, compute: 'int8' }), { type: 'float32', dims: [1, size] });
    await graph.write(join(directory, 'doctor.onnx'));
    const session = await openOnnxSession(join(directory, 'doctor.onnx'), { threads: 1 });
    const { y } = await session.run({ x: { data: new Float32Array(size).fill(1), dims: [1, size] } }, ['y']);
    await session.close();
    const value = Number(y!.data[0]);
    if (Math.abs(value - size / 2) > 1)
      return fail(`an int8 product gave ${value}, expected ${size / 2}. Please report this processor.`);
    return ok('loads and computes int8 correctly, on the CPU');
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function checkFfmpeg({ audio }: Config) {
  if (audio.ffmpeg === 'off')
    return warn(
      'switched off (audio.ffmpeg); WAV, MP3, FLAC, Ogg Vorbis and Opus are read by built-in decoders',
    );
  const found = await findFfmpeg(audio.ffmpeg);
  if (found !== undefined) return ok(`${found.version} at ${found.path}`);
  return warn(
    'not found; WAV, MP3, FLAC, Ogg Vorbis and Opus work without it. For M4A, MP4, WebM, AAC and video install it (apt install ffmpeg, brew install ffmpeg, winget install ffmpeg).',
  );
}

async function checkHome({ home }: Config) {
  await mkdir(home, { recursive: true });
  await access(home, constants.W_OK | constants.X_OK);
  return ok(home);
}

async function checkDisk({ home }: Config) {
  const { bavail, bsize } = await statfs(home);
  const free = bavail * bsize;
  const message = `${formatBytes(free)} free in ${home}`;
  return free >= COMFORTABLE_BYTES
    ? ok(message)
    : warn(
        `${message}; a model needs up to ${formatBytes(COMFORTABLE_BYTES)}. Free some, or set PERCEPT_HOME elsewhere.`,
      );
}

async function checkMemory({ models }: Config) {
  return ok(
    `${formatBytes(totalmem())}; models may take ${formatBytes(models.memoryBudgetBytes)} and ${models.threads} threads`,
  );
}

async function checkModels(config: Config, context: CliContext) {
  const store = context.openStore(config);
  try {
    const names = (await store.list()).map(({ manifest }) => manifest.name);
    const { base } = await store.resolve(config.models.speech, {
      defaultModel: config.models.speech,
      computeType: config.models.computeType,
    });
    if (names.includes(base)) return ok(names.join(', '));
    return warn(
      `the default ${base} is not installed yet; "percept pull" does it${names.length > 0 ? ` (installed: ${names.join(', ')})` : ''}`,
    );
  } finally {
    await store.close();
  }
}

async function checkSources({ offline, sources }: Config) {
  if (offline) return warn('offline is set: only installed and imported models can be used');
  const urls = { hub: sources.hubEndpoint, index: sources.indexUrl };
  const answers = await Promise.all(sources.order.map((name) => answersAt(urls[name])));
  const reachable = sources.order.filter((_, index) => answers[index]);
  const missing = sources.order.filter((_, index) => !answers[index]);
  if (reachable.length === 0)
    return warn(
      `neither ${missing.map((name) => urls[name]).join(' nor ')} answers; models can still be imported ("percept import")`,
    );
  const rest =
    missing.length > 0
      ? `; ${missing.map((name) => urls[name]).join(', ')} does not answer, so larger models may not be available`
      : '';
  return (missing.length > 0 ? warn : ok)(`${reachable.map((name) => urls[name]).join(', ')} answers${rest}`);
}

async function answersAt(url: string): Promise<boolean> {
  try {
    await fetch(url, { method: 'HEAD', redirect: 'manual', signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return true;
  } catch {
    // Whatever kept it from answering, the answer is the same: it cannot be reached now.
    return false;
  }
}

async function checkPort({ server: { host, port } }: Config) {
  const isFree = await new Promise<boolean>((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
  return isFree
    ? ok(`${port} on ${host} is free`)
    : warn(
        `${port} on ${host} is taken; a server may be running already, or choose another with PERCEPT_PORT`,
      );
}
