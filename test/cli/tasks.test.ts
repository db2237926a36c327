/** `percept process` and `percept tasks` over a real queue; the work itself is a test's own. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { sleep } from '../../src/base/abort.ts';
import { AppError } from '../../src/base/errors.ts';
import { register as registerProcess } from '../../src/cli/process.ts';
import { register as registerTasks } from '../../src/cli/tasks.ts';
import type { Work } from '../../src/jobs/attempt.ts';
import { RECORDINGS } from '../../src/jobs/lanes.ts';
import { type CommandsOptions, runCommands, type Written } from '../support/command-line.ts';
import { type IntelligenceUnderTest, startIntelligence } from '../support/intelligence-service.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { wavFile } from '../support/wav.ts';

const SOUND = wavFile(new Float32Array(16_000), { sampleRate: 16_000 });
const RAW = ['process', '--features', 'raw_transcript'];

interface UnderTest extends IntelligenceUnderTest {
  percept(...words: string[]): Promise<Written>;
  file(name: string, content?: string | Uint8Array): Promise<string>;
}

async function start(
  t: TestContext,
  { run = heard('Hello.'), ...given }: Partial<CommandsOptions> & { readonly run?: Work } = {},
): Promise<UnderTest> {
  const intelligence = await startIntelligence(t);
  const folder = await temporaryFolder(t);
  const percept = await runCommands(t, {
    commands: [registerProcess, registerTasks],
    openTasks: async () => ({
      intelligence: intelligence.service,
      startWork: async () => intelligence.startWorker(run),
      close: async () => {},
    }),
    ...given,
  });
  return {
    ...intelligence,
    percept,
    async file(name, content = SOUND) {
      const path = join(folder, name);
      await writeFile(path, content);
      return path;
    },
  };
}

function heard(text: string): Work {
  return async (_task, { update }) => {
    for (const progress of [0, 0.31, 0.33, 0.7]) await update({ stage: 'PROCESSING_ASR', progress });
    return { results: { raw_transcript: text, summary: { title: 'Hi' } }, versions: {}, metrics: {} };
  };
}

test('without --wait the ids are printed, and that no worker runs is told beside them', async (t) => {
  const { percept, file, service, incoming } = await start(t);
  const { stdout, stderr } = await percept(...RAW, await file('a.wav'), await file('b.wav'));
  const ids = stdout.trim().split('\n');
  const names = await Promise.all(ids.map(async (id) => (await service.task(id)).input));
  assert.deepEqual(
    names.map((input) => (input as { fileName: string }).fileName),
    ['a.wav', 'b.wav'],
  );
  assert.equal(stderr, 'No worker runs: start "percept serve" or "percept worker", or add --wait.\n');
  assert.deepEqual(await incoming(), []);
  const json = await percept(...RAW, '--json', await file('c.wav'));
  assert.deepEqual(Object.keys(JSON.parse(json.stdout)), ['file', 'task_id']);
});

test('with --wait the command is the worker where there is none, and prints the results', async (t) => {
  const { percept, file } = await start(t);
  const path = await file('a.wav');
  const { stdout, stderr, hasFailed } = await percept(...RAW, '--wait', path);
  assert.equal(stdout, '# raw_transcript\nHello.\n\n# summary\n{\n  "title": "Hi"\n}\n');
  assert.match(stderr, /a\.wav {2}COMPLETE\n$/);
  assert.doesNotMatch(stderr, /\r/);
  assert.equal(hasFailed, false);
  const json = await percept(...RAW, '--wait', '--json', path, path);
  const [first, second] = json.stdout.trim().split('\n');
  const report = JSON.parse(first!);
  assert.deepEqual([report.file, report.status], [path, 'COMPLETE']);
  assert.equal(JSON.parse(second!).results.raw_transcript, 'Hello.');
  assert.equal(json.stderr, '');
});

test('on a terminal each file has one line, drawn over', async (t) => {
  const { percept, file } = await start(t, { isTerminal: true });
  const { stderr } = await percept(...RAW, '--wait', await file('a.wav'), await file('b.wav'));
  const lines = stderr.split('\n');
  assert.equal(lines.length, 3);
  assert.ok(lines[0]!.startsWith('\r') && lines[0]!.endsWith('a.wav  COMPLETE\u001b[K'), lines[0]);
  assert.ok(lines[1]!.startsWith('\r') && lines[1]!.endsWith('b.wav  COMPLETE\u001b[K'), lines[1]);
});

test('a task that fails is told of with its reason, and the command has failed', async (t) => {
  const run: Work = async ({ input }) => {
    if ((input as { fileName: string }).fileName === 'bad.wav')
      throw new AppError('audio_too_short', 'The recording lasts 0.2 s.');
    return { results: { raw_transcript: 'Hello.' } };
  };
  const { percept, file } = await start(t, { run });
  const written = await percept(...RAW, '--wait', await file('bad.wav'), await file('good.wav'));
  assert.match(written.stderr, /percept: \S*bad\.wav: The recording lasts 0\.2 s\.\n/);
  assert.equal(written.stdout, '# raw_transcript\nHello.\n');
  assert.equal(written.hasFailed, true);
});

test('a file that cannot be taken is told of, and the others are', async (t) => {
  const { percept, file, kept, incoming } = await start(t);
  const [text, letter, sound] = [
    await file('notes.wav', 'not a recording'),
    await file('letter.docx', 'x'),
    await file('a.wav'),
  ];
  const { stdout, stderr, hasFailed } = await percept(...RAW, '/no/such.wav', text, letter, sound);
  assert.match(stderr, /percept: \/no\/such\.wav: There is no such file\.\n/);
  assert.match(stderr, /notes\.wav: The file is no recording that is known by its content/);
  assert.match(stderr, /letter\.docx: The file name ends in \.docx, which is no recording/);
  assert.deepEqual([stdout.trim().split('\n').length, hasFailed], [1, true]);
  assert.deepEqual([(await kept()).length, await incoming()], [1, []]);
});

test('what is asked wrongly ends the command before a file is copied', async (t) => {
  const { percept, file, kept } = await start(t);
  const path = await file('a.wav');
  await assert.rejects(percept('process', path), { code: 'missing_template' });
  await assert.rejects(percept('process', '-t', 'nope_v1', path), { code: 'missing_template' });
  await assert.rejects(percept('process', '--features', 'transcript', path), { code: 'usage' });
  await assert.rejects(percept('process', '--priority', 'urgent', path), /Allowed choices are high/);
  assert.deepEqual(await kept(), []);
});

test('Ctrl-C while waiting leaves the task to a worker, and says how to see it', async (t) => {
  const interrupt = new AbortController();
  const run: Work = async (_task, { signal }) => {
    interrupt.abort(new AppError('cancelled', 'Interrupted.'));
    await sleep(10_000, signal);
    return null;
  };
  const { percept, file, queue } = await start(t, { run, signal: interrupt.signal });
  const error = await percept(...RAW, '--wait', await file('a.wav'), await file('b.wav')).catch((e) => e);
  assert.equal(error.code, 'cancelled');
  const { tasks } = await queue.list({ lane: RECORDINGS, limit: 10 });
  for (const { id } of tasks) {
    const told = `${id} waits for "percept serve" or "percept worker". See "percept tasks show ${id}"; "percept tasks cancel" ends it.\n`;
    assert.ok(error.written.stderr.includes(told), error.written.stderr);
  }
  assert.equal(tasks.length, 2);
});

test('tasks are listed newest first, by state, so many at once, and an empty queue is told of', async (t) => {
  const { percept, file } = await start(t);
  assert.deepEqual(await percept('tasks', 'list'), {
    stdout: '',
    stderr: 'There are no tasks.\n',
    hasFailed: false,
  });
  assert.equal((await percept('tasks', 'list', '--json')).stderr, '');
  const { stdout } = await percept(...RAW, await file('old.wav'), await file('new\u001b[2J\n.wav'));
  const [old, recent] = stdout.trim().split('\n');
  const listed = await percept('tasks', 'list');
  assert.match(listed.stdout, new RegExp(`^ID .*FILE +ERROR\n${recent} +PENDING .*\n${old} +PENDING .*\n$`));
  assert.ok(!listed.stdout.includes('\u001b'));
  const first = await percept('tasks', 'list', '--limit', '1', '--json');
  assert.equal(JSON.parse(first.stdout).task_id, recent);
  assert.match((await percept('tasks', 'list', '--limit', '1')).stderr, /^There are older ones: --limit/);
  assert.equal((await percept('tasks', 'list', '--state', 'failed')).stderr, 'No task is failed.\n');
  await assert.rejects(percept('tasks', 'list', '--state', 'lost'), /Allowed choices are waiting/);
});

test('a task is shown, cancelled and submitted again', async (t) => {
  const { percept, file } = await start(t);
  const id = (await percept(...RAW, await file('a.wav'))).stdout.trim();
  assert.equal(JSON.parse((await percept('tasks', 'show', id)).stdout).status, 'PENDING');
  const unknown = '00000000-0000-4000-8000-000000000000';
  const cancelled = await percept('tasks', 'cancel', unknown, id);
  assert.match(
    cancelled.stderr,
    new RegExp(`^percept: There is no task ${unknown}.*\n${id} is cancelled\n$`),
  );
  assert.equal(cancelled.hasFailed, true);
  const again = await percept('tasks', 'cancel', id);
  assert.equal(again.hasFailed, true);
  const retried = await percept('tasks', 'retry', id);
  assert.equal(
    retried.stderr,
    `${id} waits again\nNo worker runs: start "percept serve" or "percept worker".\n`,
  );
  assert.equal((await percept('tasks', 'retry', id)).hasFailed, true);
  const history = JSON.parse((await percept('tasks', 'show', '--history', id)).stdout);
  assert.deepEqual(
    history.map(({ event }: { event: string }) => event),
    ['submitted', 'cancelled', 'requeued'],
  );
  await assert.rejects(percept('tasks', 'show', unknown), { code: 'task_not_found' });
});
