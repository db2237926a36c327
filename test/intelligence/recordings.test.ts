import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { access, mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { AppError } from '../../src/base/errors.ts';
import { openDirectoryRecordings } from '../../src/intelligence/recordings/directory-recordings.ts';
import type { Recordings, StoredRecording } from '../../src/intelligence/recordings/recordings.ts';
import { openS3Recordings } from '../../src/intelligence/recordings/s3-recordings.ts';
import type { NewTask } from '../../src/jobs/task.ts';
import { startS3, whyNoS3 } from '../support/s3-server.ts';
import { temporaryFolder } from '../support/temporary.ts';

const never = new AbortController().signal;

const STORES = [
  {
    name: 'directory',
    skip: false as const,
    open: async (context: TestContext) =>
      openDirectoryRecordings(join(await temporaryFolder(context), 'audio')),
  },
  {
    name: 'bucket',
    skip: whyNoS3(),
    open: async (context: TestContext) => {
      const { endpoint, bucket, credentials } = await startS3(context);
      return openS3Recordings({
        endpoint,
        bucket,
        credentials,
        region: 'us-east-1',
        prefix: 'percept/',
        directory: await temporaryFolder(context),
      });
    },
  },
];

for (const { name, skip, open } of STORES) {
  const recordingTest = (title: string, body: (recordings: Recordings) => Promise<void>) =>
    test(`${name}: ${title}`, { skip }, async (context) => {
      const recordings = await open(context);
      await body(recordings);
      await recordings.close();
    });

  recordingTest(
    'what is kept is there byte for byte, with its task, and gone from where it was',
    async (recordings) => {
      const task = newTask();
      const bytes = Buffer.alloc(3_000_000, 7);
      const path = await keep(recordings, { task, bytes });
      await assert.rejects(access(path));
      const opened = await recordings.open(task.id, never);
      assert.ok(opened.path.endsWith('raw.mp3'));
      assert.deepEqual(await readFile(opened.path), bytes);
      await opened.close();
      const [stored] = await all(recordings);
      assert.equal(stored?.id, task.id);
      assert.deepEqual(await stored?.task(), task);
      assert.equal(stored?.endedAt, undefined);
      assert.ok(Math.abs(stored!.keptAt.getTime() - Date.now()) < 60_000);
    },
  );

  recordingTest('each attempt has a directory of its own, which is gone after it', async (recordings) => {
    const task = newTask();
    await keep(recordings, { task });
    const [first, second] = [await recordings.open(task.id, never), await recordings.open(task.id, never)];
    assert.notEqual(first.workDirectory, second.workDirectory);
    await writeFile(join(first.workDirectory, 'preprocessed.wav'), 'x');
    await first.close();
    await assert.rejects(access(first.workDirectory));
    await access(second.workDirectory);
    await recordings.removeWork(task.id);
    await assert.rejects(access(second.workDirectory));
    await (await recordings.open(task.id, never)).close();
  });

  recordingTest('a recording that is not there is said to be gone', async (recordings) => {
    await assert.rejects(
      recordings.open(randomUUID(), never),
      (error: AppError) => error.code === 'not_found' && /Send it again/.test(error.message),
    );
    await recordings.remove(randomUUID());
  });

  recordingTest('the note that a task has ended comes and goes', async (recordings) => {
    const task = newTask();
    await keep(recordings, { task });
    await recordings.markEnded(task.id);
    await recordings.markEnded(task.id);
    const [ended] = await all(recordings);
    assert.ok(Math.abs(ended!.endedAt!.getTime() - Date.now()) < 60_000);
    await recordings.unmarkEnded(task.id);
    assert.equal((await all(recordings))[0]?.endedAt, undefined);
    await recordings.remove(task.id);
    assert.deepEqual(await all(recordings), []);
  });

  recordingTest('several recordings are listed, each once', async (recordings) => {
    const ids = Array.from({ length: 5 }, () => newTask());
    for (const task of ids) await keep(recordings, { task });
    const listed = (await all(recordings)).map(({ id }) => id).sort();
    assert.deepEqual(listed, ids.map(({ id }) => id).sort());
  });
}

test('directory: what is no recording is left alone and not listed', async (context) => {
  const root = await temporaryFolder(context);
  const recordings = openDirectoryRecordings(root);
  await mkdir(join(root, 'lost+found'));
  await writeFile(join(root, 'notes.txt'), 'mine');
  assert.deepEqual(await all(recordings), []);
  await recordings.sweep();
  assert.deepEqual((await readdir(root)).sort(), ['lost+found', 'notes.txt']);
});

test('directory: a manifest that was cut, or is another recording’s, is no manifest', async (context) => {
  const root = await temporaryFolder(context);
  const recordings = openDirectoryRecordings(root);
  const [task, other] = [newTask(), newTask()];
  await keep(recordings, { task });
  for (const text of ['{"version":1,"ta', JSON.stringify({ version: 1, task: other }), '{"version":2}']) {
    await writeFile(join(root, task.id, 'task.json'), text);
    assert.equal(await (await all(recordings))[0]?.task(), undefined, text);
  }
});

test('directory: uploads that nobody goes on with are swept, those under way are not', async (context) => {
  const root = await temporaryFolder(context);
  const [dead, living, sweeper] = [1, 2, 3].map(() => openDirectoryRecordings(root)) as [
    Recordings,
    Recordings,
    Recordings,
  ];
  const old = join(await dead.incoming(), 'old.upload');
  const fresh = join(await living.incoming(), 'fresh.upload');
  await writeFile(old, 'x');
  await writeFile(fresh, 'x');
  const longAgo = new Date(Date.now() - 4 * 3_600_000);
  await utimes(old, longAgo, longAgo);
  await utimes(await dead.incoming(), longAgo, longAgo);
  await sweeper.sweep();
  await assert.rejects(access(old));
  await access(fresh);
});

function newTask(): NewTask {
  return {
    id: randomUUID(),
    lane: 'recordings',
    priority: 'normal',
    input: { features: ['summary'], fileName: 'Besprechung ü.mp3' },
    idempotency: { key: 'k', fingerprint: 'f' },
  };
}

async function keep(
  recordings: Recordings,
  { task, bytes = Buffer.from('sound') }: { readonly task: NewTask; readonly bytes?: Buffer },
): Promise<string> {
  const path = join(await recordings.incoming(), `${randomUUID()}.upload`);
  await writeFile(path, bytes);
  await recordings.keep({ path, extension: '.mp3', task });
  return path;
}

async function all(recordings: Recordings): Promise<StoredRecording[]> {
  const found: StoredRecording[] = [];
  for await (const recording of recordings.list()) found.push(recording);
  return found;
}
