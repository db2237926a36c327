/**
 * Memory of a server that takes large recordings for its queue, several at once:
 *
 *     node dist/bench/task-uploads.js [--megabytes 480] [--uploads 8] [--clients 4] [--rounds 3]
 *
 * Every round's tasks are cancelled. Memory is that of the server's process, looked at ten times a second. Linux only; needs uploads x megabytes x rounds of disk.
 */
import { openAsBlob } from 'node:fs';
import { mkdtemp, open, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { wavFile } from '../test/support/wav.ts';
import { testHome } from '../test-models/support/home.ts';
import { startService } from '../test-models/support/service.ts';
import { treeMemory, watchTree } from './process-tree.ts';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '480' },
    uploads: { type: 'string', default: '8' },
    clients: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
  },
});
const MEGABYTE = 1024 ** 2;
const sizeBytes = Number(values.megabytes) * MEGABYTE;

const folder = await mkdtemp(join(tmpdir(), 'percept-bench-'));
try {
  await symlink(join(testHome(), 'models'), join(folder, 'models'));
  const recording = await writeRecording(join(folder, 'long.wav'));
  const service = await startService({
    env: {
      PERCEPT_HOME: folder,
      PERCEPT_PROFILE: 'maie',
      PERCEPT_OFFLINE: '1',
      PERCEPT_MODELS_PRELOAD: 'false',
      PERCEPT_TASKS_RUN_HERE: 'false',
      PERCEPT_TASKS_RETENTION_SECONDS: '60',
    },
  });
  try {
    const before = (await treeMemory(service.pid)).sumBytes;
    console.log(`before: ${inMegabytes(before)} MB`);
    for (let round = 1; round <= Number(values.rounds); round += 1) {
      const watch = watchTree(service.pid);
      const begun = performance.now();
      await Promise.all(
        Array.from({ length: Number(values.clients) }, async (_, client) => {
          for (let i = client; i < Number(values.uploads); i += Number(values.clients))
            await upload(service.url, recording);
        }),
      );
      const seconds = (performance.now() - begun) / 1000;
      const { sumBytes } = await watch.stop();
      const rate = (Number(values.uploads) * Number(values.megabytes)) / seconds;
      console.log(`round ${round}: at most ${inMegabytes(sumBytes)} MB, ${rate.toFixed(0)} MB a second`);
    }
    console.log(`after: ${inMegabytes((await treeMemory(service.pid)).sumBytes)} MB`);
  } finally {
    await service.stop();
  }
} finally {
  await rm(folder, { recursive: true });
}

/** Sound whose length is true, and which takes no disk here. */
async function writeRecording(path: string): Promise<string> {
  const head = wavFile([], { sampleRate: 16_000, claimedDataBytes: sizeBytes - 44 });
  const file = await open(path, 'w');
  await file.write(head);
  await file.truncate(sizeBytes);
  await file.close();
  return path;
}

async function upload(url: string, path: string): Promise<void> {
  const body = new FormData();
  body.append('features', 'raw_transcript');
  body.append('file', await openAsBlob(path), 'long.wav');
  const answer = await fetch(`${url}/v1/process`, { method: 'POST', body });
  const { task_id } = (await answer.json()) as { task_id?: string };
  if (answer.status !== 202) throw new Error(`The server answered ${answer.status}.`);
  await fetch(`${url}/v1/status/${task_id}`, { method: 'DELETE' });
}

function inMegabytes(bytes: number): string {
  return (bytes / MEGABYTE).toFixed(0);
}
