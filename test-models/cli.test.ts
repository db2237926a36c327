/** The command line as people and scripts use it. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import {
  childProcessIds,
  cpuSeconds,
  eventually,
  isAlive,
  NO_CPU_SECONDS,
} from '../test/support/processes.ts';
import { temporaryFile, temporaryFolder } from '../test/support/temporary.ts';
import { percept, startPercept } from './support/command-line.ts';
import { testHome } from './support/home.ts';
import { joined, samplesOf, wav } from './support/recordings.ts';
import { SDK_ENVIRONMENT, SDK_KEY } from './support/sdk-service.ts';
import { startService } from './support/service.ts';
import { librivox, missingWeights } from './support/weights.ts';

const MODEL = 'whisper-base-int8';
const skip = await missingWeights(MODEL);
const recordings = skip === false ? await librivox() : [];
const [long, short] = recordings.map(({ path }) => path) as [string, string];

test('transcribes files to standard output, and nothing else goes there', { skip }, async () => {
  const { code, stdout, stderr } = await percept(['transcribe', long, short]);
  assert.equal(code, 0, stderr);
  const [first, second, ...rest] = stdout.split('\n');
  assert.match(first!, /^And Mr\. John Dashwood .* to do for them\.$/);
  assert.match(second!, /^He was not an /);
  assert.deepEqual(rest, ['']);
});

test('a file that fails is told of, and the others are still written', { skip }, async (t) => {
  const bad = await temporaryFile(t, 'bad.mp3', Buffer.from('no audio'));
  const folder = await temporaryFolder(t);
  const files = [long, bad, join(folder, 'missing.wav'), short];
  const { code, stdout, stderr } = await percept([
    'transcribe',
    '--output-dir',
    folder,
    '--format',
    'srt',
    ...files,
  ]);
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /bad\.mp3: .*audio/);
  assert.match(stderr, /missing\.wav: There is no such file/);
  const written = (await readdir(folder)).sort();
  assert.deepEqual(
    written.map((name) => name.replace(/.*-(\d{4}\.srt)$/, '$1')),
    ['0870.srt', '0880.srt'],
  );
  assert.match(await readFile(join(folder, written[0]!), 'utf8'), /^1\n00:00:00,000 --> .*\nAnd Mr\. John/);
});

test('--json writes one object a line, errors among them', { skip }, async (t) => {
  const bad = await temporaryFile(t, 'bad.mp3', Buffer.from('no audio'));
  const { code, stdout } = await percept(['transcribe', '--json', long, bad, short]);
  assert.equal(code, 1);
  const lines = stdout.trimEnd().split('\n');
  const [first, failed, second] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(lines.length, 3);
  assert.equal(first!['file'], long);
  assert.match(String(first!['text']), /^And Mr\. John/);
  assert.equal((failed!['error'] as { code: string }).code, 'unsupported_audio');
  assert.match(String(second!['text']), /^He was not/);
});

test('--word-timestamps adds words to JSON and leaves subtitles as they are', { skip }, async () => {
  const run = async (...options: string[]) => {
    const { code, stdout, stderr } = await percept(['transcribe', short, ...options]);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  for (const format of [['--json'], ['--format', 'json']]) {
    const found = JSON.parse(await run(...format, '--word-timestamps')) as {
      text: string;
      segments: object[];
      words: { word: string }[];
    };
    assert.equal(found.segments.length, 1);
    assert.equal(found.words.map(({ word }) => word).join(' '), found.text.replace('-', ' -'));
    assert.ok(!('words' in (JSON.parse(await run(...format)) as object)));
  }
  assert.equal(await run('--format', 'srt', '--word-timestamps'), await run('--format', 'srt'));
});

test('every format is written', { skip }, async () => {
  const formats = { srt: /^1\n00:00:00,000 --> /, vtt: /^WEBVTT\n\n00:00:00\.000 --> /, json: /^\{/ };
  for (const [format, expected] of Object.entries(formats)) {
    const { code, stdout } = await percept(['transcribe', '--format', format, short]);
    assert.equal(code, 0);
    assert.match(stdout, expected);
    if (format === 'json') assert.equal((JSON.parse(stdout) as { language: string }).language, 'english');
  }
});

test('a running server gives the same answers, with its key', { skip }, async (t) => {
  const service = await startService({ env: SDK_ENVIRONMENT });
  t.after(() => service.stop());
  const remote = ['transcribe', '--server', service.url, '--api-key', SDK_KEY];
  for (const format of ['text', 'srt', 'vtt']) {
    const here = await percept(['transcribe', '--format', format, short]);
    assert.deepEqual((await percept([...remote, '--format', format, short])).stdout, here.stdout);
  }
  const bad = await temporaryFile(t, 'bad.mp3', Buffer.from('no audio'));
  const partly = await percept([...remote, bad, short]);
  assert.equal(partly.code, 1);
  assert.match(partly.stdout, /^He was not/);
  assert.match(partly.stderr, /bad\.mp3/);
  const words = ['--json', '--word-timestamps', short];
  const [there, here] = [await percept([...remote, ...words]), await percept(['transcribe', ...words])];
  assert.deepEqual(JSON.parse(there.stdout), JSON.parse(here.stdout));
  const refused = await percept(['transcribe', '--server', service.url, short]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /key/);
});

test('a server that is not there is named', { skip }, async () => {
  const { code, stderr } = await percept(['transcribe', '--server', 'http://127.0.0.1:9', short]);
  assert.equal(code, 1);
  assert.match(stderr, /No server answers at http:\/\/127\.0\.0\.1:9/);
});

test('word times of a translation are refused before a server is asked', { skip }, async () => {
  const remote = ['--server', 'http://127.0.0.1:9', '--translate', '--word-timestamps', '--json'];
  const { code, stderr } = await percept(['transcribe', ...remote, short]);
  assert.equal(code, 2);
  assert.match(stderr, /leave --word-timestamps or --server out/);
});

test('what is asked wrongly ends with exit code 2 and does nothing', { skip }, async () => {
  for (const words of [
    ['transcribe', '--colour', 'blue', short],
    ['transcribe', '--format', 'docx', short],
    ['transcribe', '--temperature', '7', short],
    ['transcribe'],
    ['nonsense'],
  ]) {
    const { code, stdout, stderr } = await percept(words);
    assert.equal(code, 2, words.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, /^(error|percept): /);
  }
});

test('models lists what is installed', { skip }, async () => {
  assert.match((await percept(['models'])).stdout, /whisper-base/);
  const { stdout } = await percept(['models', '--json']);
  const { installed } = JSON.parse(stdout) as { installed: { name: string }[] };
  assert.ok(installed.some(({ name }) => name === 'whisper-base'));
});

test('doctor finds this machine able to run', { skip }, async () => {
  const { code, stdout } = await percept(['doctor', '--json']);
  assert.equal(code, 0, stdout);
  const findings = JSON.parse(stdout) as { name: string; state: string; message: string }[];
  const stateOf = (name: string) => findings.find((finding) => finding.name === name)?.state;
  assert.deepEqual([stateOf('Node.js'), stateOf('ONNX Runtime'), stateOf('models')], ['ok', 'ok', 'ok']);
  assert.ok(findings.every(({ state, message }) => state !== 'fail' && message !== ''));
});

test('config says every value and where it came from, and no key', { skip }, async () => {
  const { code, stdout } = await percept(['config', '--json'], {
    PERCEPT_API_KEYS: 'very-secret',
    PERCEPT_PORT: '4711',
  });
  assert.equal(code, 0);
  const rows = JSON.parse(stdout) as { key: string; value: unknown; origin: string }[];
  const port = rows.find(({ key }) => key === 'server.port')!;
  assert.deepEqual([port.value, port.origin.includes('PERCEPT_PORT')], [4711, true]);
  assert.ok(!stdout.includes('very-secret'));
  const wrong = await percept(['config'], { PERCEPT_PORT: 'high' });
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /PERCEPT_PORT/);
});

test('offline, an installed model runs and one that is not is an error', { skip }, async (t) => {
  // An index that would answer nothing: what is asked of a network fails.
  const offline = {
    PERCEPT_OFFLINE: '1',
    HF_ENDPOINT: 'http://127.0.0.1:9',
    PIP_INDEX_URL: 'http://127.0.0.1:9',
  };
  const here = await percept(['transcribe', short], offline);
  assert.equal(here.code, 0, here.stderr);
  assert.match(here.stdout, /^He was not/);
  const empty = { ...offline, PERCEPT_HOME: await temporaryFolder(t) };
  const { code, stdout, stderr } = await percept(['transcribe', short], empty);
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /offline/i);
});

test('Ctrl-C ends a transcription within three seconds, and nothing is left running', {
  skip: skip || NO_CPU_SECONDS,
}, async (t) => {
  const parts = await Promise.all(recordings.map(({ path }) => samplesOf(path)));
  const hour = Array.from({ length: 30 }, () => parts).flat();
  const path = join(await temporaryFolder(t), 'long.wav');
  await writeFile(path, wav(joined(hour, 1).samples));
  const command = startPercept(['transcribe', '--model', MODEL, path]);
  const isAtWork = () => childProcessIds(command.pid).some((pid) => cpuSeconds(pid) > 2);
  await eventually(isAtWork, 'the model is at work');
  const processes = childProcessIds(command.pid);
  const interrupted = Date.now();
  command.interrupt();
  const { code, stdout } = await command.ended;
  assert.ok(Date.now() - interrupted < 3000, `${Date.now() - interrupted} ms`);
  assert.deepEqual([code, stdout], [1, '']);
  await eventually(() => processes.every((pid) => !isAlive(pid)), 'its processes have ended');
  assert.deepEqual(await readdir(join(testHome(), 'locks')).catch(() => []), []);
});
