/** Recordings sent to a server while it, its workers, their models and its Redis are killed, and what became of each. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { openAsBlob } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../../src/base/logger.ts';
import type { Environment } from '../../src/config/environment.ts';
import { loadConfig } from '../../src/config/load.ts';
import { openQueue } from '../../src/jobs/open-queue.ts';
import type { Task, TaskEvent } from '../../src/jobs/task.ts';
import { type RedisServer, startRedis } from '../../test/jobs/redis-server.ts';
import { childProcessIds } from '../../test/support/processes.ts';
import { NO_CONFIG_FILE, ownHome, testEnvironment } from './home.ts';
import { MAIN } from './service.ts';

export interface ChaosOptions {
  readonly queue: 'sqlite' | 'redis';
  readonly recordings: readonly string[];
  readonly tasks: number;
  /** Mean time between two kills. */
  readonly killEveryMs: number;
  /** Numbers from 0 to 1. */
  readonly random: () => number;
  /** To also see that nothing is left after it, the harness waits for it. */
  readonly retentionSeconds?: number;
  readonly env?: Environment;
}

export interface ChaosReport {
  readonly seconds: number;
  readonly kills: Readonly<Record<string, number>>;
  readonly accepted: number;
  /** Answers that were no 202, or none: each was sent again by its key. */
  readonly sentAgain: number;
  readonly complete: number;
  readonly failed: readonly string[];
  /** What must not be, in words; empty. */
  readonly violations: readonly string[];
}

const WORKERS = 2;
const CLIENTS = 4;

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const home = await ownHome();
  const redis = options.queue === 'redis' ? await startRedis() : undefined;
  const env = testEnvironment({
    PERCEPT_HOME: home.path,
    PERCEPT_OFFLINE: '1',
    PERCEPT_PORT: '0',
    PERCEPT_TASKS_QUEUE: options.queue,
    PERCEPT_TASKS_RUN_HERE: 'false',
    PERCEPT_TASKS_RETRIES: '10',
    PERCEPT_TASKS_RETRY_DELAY_SECONDS: '0.2',
    PERCEPT_TASKS_HEARTBEAT_SECONDS: '0.3',
    PERCEPT_TASKS_LEASE_SECONDS: '3',
    ...(redis === undefined ? {} : { PERCEPT_TASKS_REDIS_URL: redis.url() }),
    ...(options.retentionSeconds === undefined
      ? {}
      : { PERCEPT_TASKS_RETENTION_SECONDS: String(options.retentionSeconds) }),
    ...options.env,
  });
  const server = respawning(['serve'], env);
  const workers = Array.from({ length: WORKERS }, () => respawning(['worker'], env));
  try {
    return await play(options, { home: home.path, env, redis, server, workers });
  } finally {
    await Promise.all([server, ...workers].map((process) => process.end()));
    await redis?.remove();
    await home.remove();
  }
}

interface Stage {
  readonly home: string;
  readonly env: Environment;
  readonly redis: RedisServer | undefined;
  readonly server: Respawning;
  readonly workers: readonly Respawning[];
}

async function play(options: ChaosOptions, stage: Stage): Promise<ChaosReport> {
  const begun = performance.now();
  const done = new AbortController();
  const killing = killAtRandom(options, { ...stage, signal: done.signal });
  const counts = { sentAgain: 0 };
  const accepted: string[] = [];
  let next = 0;
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (next < options.tasks) {
      const file = options.recordings[next++ % options.recordings.length]!;
      accepted.push(await submit(file, stage.server, counts));
    }
  });
  const queue = await openQueue({
    config: loadConfig({ env: stage.env, configFile: NO_CONFIG_FILE }).config,
    logger: silentLogger,
  });
  const ended = new Map<string, Task>();
  const violations: string[] = [];
  try {
    const watching = (async () => {
      while (ended.size < options.tasks) {
        for (const id of accepted.filter((id) => !ended.has(id))) {
          const task = await queue.get(id).catch(() => undefined);
          if (task !== undefined && task.state !== 'waiting' && task.state !== 'running') ended.set(id, task);
        }
        // Killing goes on until the work is nearly done, so that takeovers are seen, and then stops, so that the end is.
        if (ended.size > 0.9 * options.tasks) done.abort();
        if (performance.now() - begun > MOST_MS) break;
        await sleep(100);
      }
    })();
    await Promise.all([...clients, watching]);
    done.abort();
    const kills = await killing;
    for (const id of accepted) if (!ended.has(id)) violations.push(`${id} was accepted and has not ended`);
    if (new Set(accepted).size !== accepted.length) violations.push('two keys were given one task');
    for (const task of ended.values()) violations.push(...historyViolations(task));
    violations.push(...overlaps(stage.workers.flatMap((worker) => worker.runs())));
    if (options.retentionSeconds !== undefined) {
      violations.push(...(await leftovers(stage.home, 1000 * (options.retentionSeconds + KEEPER_SECONDS))));
    }
    const failed = [...ended.values()].filter(({ state }) => state !== 'complete');
    return {
      seconds: (performance.now() - begun) / 1000,
      kills,
      accepted: accepted.length,
      sentAgain: counts.sentAgain,
      complete: ended.size - failed.length,
      failed: failed.map(({ error }) => error?.message ?? 'without a reason'),
      violations,
    };
  } finally {
    done.abort();
    await queue.close();
  }
}

const MOST_MS = 30 * 60_000;
/** Two rounds of the keeper, and what a round takes. */
const KEEPER_SECONDS = 70;

/** Until it is accepted; the key makes a repeated one the same task. */
async function submit(path: string, server: Respawning, counts: { sentAgain: number }): Promise<string> {
  const key = randomUUID();
  for (;;) {
    const url = await server.url();
    const body = new FormData();
    body.append('features', 'raw_transcript');
    body.append('file', await openAsBlob(path), 'talk.wav');
    const answer = await fetch(`${url}/v1/process`, {
      method: 'POST',
      body,
      headers: { 'idempotency-key': key },
      signal: AbortSignal.timeout(20_000),
    }).catch(() => undefined);
    if (answer?.status === 202) {
      const text = await answer.json().catch(() => undefined);
      if (text !== undefined) return (text as { task_id: string }).task_id;
    }
    counts.sentAgain += 1;
    await sleep(200);
  }
}

async function killAtRandom(
  { killEveryMs, random }: ChaosOptions,
  { server, workers, redis, signal }: Stage & { readonly signal: AbortSignal },
): Promise<Record<string, number>> {
  const kills: Record<string, number> = {};
  const victims: readonly { readonly name: string; kill(): Promise<boolean> }[] = [
    { name: 'server', kill: async () => server.kill() },
    ...workers.map((worker) => ({ name: 'worker', kill: async () => worker.kill() })),
    ...workers.map((worker) => ({ name: 'model', kill: async () => worker.killChild() })),
    ...(redis === undefined
      ? []
      : [
          {
            name: 'redis',
            async kill() {
              await redis.kill();
              await sleep(300);
              await redis.start();
              return true;
            },
          },
        ]),
  ];
  while (!signal.aborted) {
    await sleep(2 * killEveryMs * random(), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    const victim = victims[Math.floor(random() * victims.length)]!;
    if (await victim.kill()) kills[victim.name] = (kills[victim.name] ?? 0) + 1;
  }
  return kills;
}

interface Run {
  readonly task: string;
  readonly fromMs: number;
  readonly toMs: number;
}

interface Respawning {
  /** Where the server listens; waits while it starts. */
  url(): Promise<string>;
  /** False where there was nothing to kill. */
  kill(): boolean;
  /** Kills the process of a model. */
  killChild(): boolean;
  /** When it worked on which task, by its log; what was cut by a kill ends with that. */
  runs(): Run[];
  end(): Promise<void>;
}

/** A process that starts again whenever it ends. */
function respawning(words: readonly string[], env: Environment): Respawning {
  let child: ChildProcess;
  let isOver = false;
  let url: string | undefined;
  let killedMs: number | undefined;
  const runs: Run[] = [];
  const open = new Map<string, number>();
  const start = () => {
    child = spawn(process.execPath, [MAIN, '--config', NO_CONFIG_FILE, ...words], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    createInterface({ input: child.stderr! }).on('line', (line) => {
      const entry = parse(line);
      if (entry.msg === 'listening') url = entry.url;
      if (entry.msg === 'Task begun' && entry.task) open.set(entry.task, timeOf(entry));
      if (entry.msg === 'Task left' && entry.task) close(entry.task, timeOf(entry));
    });
    // Not at its exit: lines of its log may still come.
    child.once('close', () => {
      url = undefined;
      // Others see that it is gone before this event comes here.
      for (const task of [...open.keys()]) close(task, killedMs ?? Date.now());
      killedMs = undefined;
      if (!isOver) start();
    });
  };
  const close = (task: string, toMs: number) => {
    runs.push({ task, fromMs: open.get(task) ?? toMs, toMs });
    open.delete(task);
  };
  start();
  return {
    async url() {
      while (url === undefined) await sleep(50);
      return url;
    },
    kill() {
      killedMs ??= Date.now();
      return child.kill('SIGKILL');
    },
    killChild() {
      const [pid] = child.pid === undefined ? [] : childProcessIds(child.pid);
      if (pid === undefined) return false;
      process.kill(pid, 'SIGKILL');
      return true;
    },
    runs: () => runs,
    async end() {
      isOver = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function parse(line: string): { msg?: string; url?: string; task?: string; time?: string } {
  try {
    return JSON.parse(line) as object;
  } catch {
    return {};
  }
}

function timeOf({ time }: { readonly time?: string }): number {
  return time === undefined ? Date.now() : Date.parse(time);
}

/** One end, and before it every claim given up before the next. */
function historyViolations({ id, history }: Task): string[] {
  const ends = history.filter(({ event }) => ['complete', 'failed', 'cancelled'].includes(event));
  const found: string[] = [];
  if (ends.length !== 1) found.push(`${id} has ${ends.length} ends: ${words(history)}`);
  let isClaimed = false;
  for (const { event } of history) {
    if (event === 'claimed' && isClaimed) found.push(`${id} was claimed twice: ${words(history)}`);
    if (event === 'claimed') isClaimed = true;
    if (['lost', 'released', 'retrying', 'complete', 'failed'].includes(event)) isClaimed = false;
  }
  return found;
}

function words(history: readonly TaskEvent[]): string {
  return history.map(({ event }) => event).join(' ');
}

function overlaps(runs: readonly Run[]): string[] {
  const byTask = groupByTask(runs);
  return [...byTask].flatMap(([task, its]) => {
    const sorted = [...its].sort((a, b) => a.fromMs - b.fromMs);
    const twice = sorted.some((run, i) => i > 0 && run.fromMs < sorted[i - 1]!.toMs);
    const times = sorted.map(({ fromMs, toMs }) => `${fromMs} to ${toMs}`).join(', ');
    return twice ? [`${task} ran twice at the same time: ${times}`] : [];
  });
}

function groupByTask(runs: readonly Run[]): Map<string, Run[]> {
  const groups = new Map<string, Run[]>();
  for (const run of runs) groups.set(run.task, [...(groups.get(run.task) ?? []), run]);
  return groups;
}

/** Names that are still in the directory of recordings after so long. */
async function leftovers(home: string, withinMs: number): Promise<string[]> {
  const audio = join(home, 'audio');
  await mkdir(audio, { recursive: true });
  const left = async () => (await readdir(audio)).filter((name) => name !== '.incoming');
  for (const begun = performance.now(); performance.now() - begun < withinMs; await sleep(1000))
    if ((await left()).length === 0) return [];
  return (await left()).map((name) => `${name} is left after its retention`);
}
