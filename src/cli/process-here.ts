/** Recordings through the queue of this machine; where no worker runs, this command is one. */
import { randomUUID } from 'node:crypto';
import { copyFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { reportStatus, summariseStatus } from '../intelligence/status-report.ts';
import type { TasksApp } from './context.ts';
import type { TaskClient } from './task-client.ts';

const CLOSE_MS = 5000;

export interface HereOptions {
  readonly app: TasksApp;
  /** Whether tasks are waited for, and so may be run here. */
  readonly waits: boolean;
  readonly onNoWorker: () => void;
}

export async function processHere({ app, waits, onNoWorker }: HereOptions): Promise<TaskClient> {
  const { intelligence } = app;
  const { hasWorker } = await intelligence.health();
  const worker = waits && !hasWorker ? await app.startWork() : undefined;
  if (!waits && !hasWorker) onNoWorker();
  return {
    async submit(path, request) {
      const copy = join(await intelligence.incoming(), `${randomUUID()}.upload`);
      await copyFile(path, copy);
      return (await intelligence.accept({ path: copy, fileName: basename(path) }, request, undefined)).id;
    },
    async *watch(id, signal) {
      for await (const task of intelligence.watch(id, signal)) yield summariseStatus(task);
    },
    status: async (id) => reportStatus(await intelligence.task(id)),
    async cancel(id) {
      await intelligence.cancel(id);
    },
    async close() {
      await worker?.stop();
      await app.close({ timeoutMs: CLOSE_MS });
    },
  };
}
