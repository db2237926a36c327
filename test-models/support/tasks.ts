/** `percept serve` with tasks of its own, and what a client of them does. */
import { openAsBlob } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from '../../src/config/environment.ts';
import type { StatusReport } from '../../src/intelligence/status-report.ts';
import { startRedis } from '../../test/jobs/redis-server.ts';
import { ownHome } from './home.ts';
import { LANGUAGE_MODEL } from './language-weights.ts';
import { type RunningService, startService } from './service.ts';

export const QUEUES = ['sqlite', 'redis'] as const;
export type QueueKind = (typeof QUEUES)[number];

export interface TaskService {
  service(): RunningService;
  /** Gives the task's id. */
  submit(path: string, fields: Fields): Promise<string>;
  status(id: string): Promise<StatusReport>;
  get(route: string): Promise<unknown>;
  /** The task once it is so. */
  until(id: string, what: string, isSo: (task: StatusReport) => boolean): Promise<StatusReport>;
  ended(id: string): Promise<StatusReport>;
  /** All files below a folder of the data directory. */
  files(folder: string): Promise<string[]>;
  /** SIGKILL, and a new one over the same data. */
  crash(): Promise<void>;
}

export type Fields = Readonly<Record<string, string | readonly string[]>>;

/** For one task; whatever it does, a test ends. */
const MOST_MS = 240_000;

export async function startTasks(
  t: TestContext,
  { queue = 'sqlite', env = {} }: { readonly queue?: QueueKind; readonly env?: Environment } = {},
): Promise<TaskService> {
  const home = await ownHome();
  t.after(() => home.remove());
  const redis = queue === 'redis' ? await startRedis() : undefined;
  t.after(() => redis?.remove());
  const environment = {
    PERCEPT_HOME: home.path,
    PERCEPT_OFFLINE: '1',
    PERCEPT_MODELS_PRELOAD: 'false',
    PERCEPT_MODELS_LANGUAGE: LANGUAGE_MODEL,
    // A small model repeats itself to the limit: what it writes matters less here than that it ends.
    PERCEPT_PIPELINE_ENHANCEMENT_MAX_TOKENS: '64',
    PERCEPT_TASKS_QUEUE: queue,
    ...(redis && { PERCEPT_TASKS_REDIS_URL: redis.url() }),
    ...env,
  };
  let service = await startService({ env: environment });
  t.after(() => service.kill());

  async function get(route: string): Promise<unknown> {
    const answer = await fetch(`${service.url}${route}`);
    if (answer.status !== 200) throw new Error(`${route}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }
  const status = (id: string) => get(`/v1/status/${id}`) as Promise<StatusReport>;

  async function until(id: string, what: string, isSo: (task: StatusReport) => boolean) {
    const deadline = Date.now() + MOST_MS;
    for (;;) {
      const task = await status(id);
      if (isSo(task)) return task;
      if (Date.now() > deadline) throw new Error(`not ${what}: ${JSON.stringify(task)}`);
      await sleep(50);
    }
  }

  return {
    service: () => service,
    async submit(path, fields) {
      const body = new FormData();
      for (const [name, value] of Object.entries(fields))
        for (const one of [value].flat()) body.append(name, one);
      body.append('file', await openAsBlob(path), 'talk.wav');
      const answer = await fetch(`${service.url}/v1/process`, { method: 'POST', body });
      const text = await answer.text();
      if (answer.status !== 202) throw new Error(`${answer.status} ${text}`);
      return (JSON.parse(text) as { task_id: string }).task_id;
    },
    status,
    get,
    until,
    ended: (id) => until(id, 'ended', ({ completed_at }) => completed_at !== null),
    async files(folder) {
      const entries = await readdir(join(home.path, folder), { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
    },
    async crash() {
      await service.kill();
      service = await startService({ env: environment });
    },
  };
}
