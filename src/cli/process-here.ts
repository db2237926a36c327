/** Recordings through the queue of this machine; where no worker runs, this command is one. */
import { randomUUID } from 'node:crypto';
import { constants, copyFile, rm } from 'node:fs/promises';
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

export const NO_WORKER = 'No worker runs: start "percept serve" or "percept worker"';

export interface ClientHere extends TaskClient {
  /** Whether its tasks run in this process, and so stop with it. */
  readonly isWorker: boolean;
}

export async function processHere({ app, waits, onNoWorker }: HereOptions): Promise<ClientHere> {
  const { intelligence } = app;
  const { hasWorker } = await intelligence.health();
  const worker = waits && !hasWorker ? await app.startWork() : undefined;
  if (!waits && !hasWorker) onNoWorker();
  return {
    isWorker: worker !== undefined,
    async submit(path, request) {
      const fileName = basename(path);
      // Before a large file is copied for nothing.
      intelligence.checkFile({ fileName, mediaType: undefined });
      await intelligence.check(request);
      await intelligence.requireRoom(undefined);
      const copy = join(await intelligence.incoming(), `${randomUUID()}.upload`);
      try {
        await copyFile(path, copy, constants.COPYFILE_FICLONE);
        return (await intelligence.accept({ path: copy, fileName }, request, undefined)).id;
      } finally {
        // Gone already where it was accepted.
        await rm(copy, { force: true });
      }
    },
    async *watch(id, signal) {
      for await (const task of intelligence.watch(id, signal)) yield summariseStatus(task);
    },
    status: async (id) => reportStatus(await intelligence.task(id)),
    async close() {
      await worker?.stop();
      await app.close({ timeoutMs: CLOSE_MS });
    },
  };
}
