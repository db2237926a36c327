import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAudioList } from '../../src/cli/audio-list.ts';
import { readEnvironment } from '../../src/config/environment.ts';
import { CHECKPOINT } from '../speech/chunkformer/golden.ts';
import { signal } from '../speech/chunkformer/signal.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { wavBytes } from '../support/wav.ts';

const where = { name: 'list.tsv', directory: '/recordings' };

test('a list names files by its column wav, and what is said by its column txt', () => {
  const text = '\uFEFFid\twav\ttxt\r\n1\ta.wav\tXin chào.\r\n\r\n2\t/b/c.wav\t"say ""hi"""\r\n3\td.wav\t\r\n';
  assert.deepEqual(parseAudioList(text, where), [
    { path: resolve('/recordings/a.wav'), reference: 'Xin chào.' },
    { path: resolve('/b/c.wav'), reference: 'say "hi"' },
    { path: resolve('/recordings/d.wav'), reference: '' },
  ]);
  assert.deepEqual(parseAudioList('wav\na.wav', where), [
    { path: resolve('/recordings/a.wav'), reference: undefined },
  ]);
});

test('a list that cannot be understood is refused with its line', () => {
  for (const [text, message] of [
    ['', /list\.tsv:1: expected a header with a column "wav"/],
    ['a.wav\tHello.\n', /list\.tsv:1: expected a header/],
    ['wav\ttxt\na.wav\n', /list\.tsv:2: expected 2 columns with a path, got 1/],
    ['wav\ttxt\n\tHello.\n', /list\.tsv:2: .*without one/],
    ['wav\ttxt\na.wav\tHello\tthere\n', /list\.tsv:2: .*got 3/],
    ['wav\ttxt\n\n', /lists no recording/],
  ] as const)
    assert.throws(() => parseAudioList(text, where), { code: 'usage', message });
});

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** A folder with recordings in which the model finds something to say; the command runs there, with the small ChunkFormer model as `my-vie`. */
async function perceptIn(t: TestContext) {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'more'));
  for (const [name, seed] of Object.entries({ a: 1, b: 4, c: 9, d: 12, 'more/a': 7 })) {
    const data = Buffer.from(signal(4, seed).buffer);
    const wav = wavBytes(data, { sampleRate: 16_000, tag: 1, bytesPerSample: 2 });
    await writeFile(join(folder, `${name}.wav`), wav);
  }
  const { PATH } = readEnvironment();
  const env = { PATH, HOME: folder, PERCEPT_HOME: join(folder, 'home'), PERCEPT_OFFLINE: '1' };
  const percept = (...words: string[]) =>
    new Promise<Ran>((done) => {
      const child = execFile(process.execPath, [MAIN, ...words], { cwd: folder, env }, (_, stdout, stderr) =>
        done({ code: child.exitCode, stdout, stderr }),
      );
    });
  const imported = await percept('import', 'my-vie', CHECKPOINT);
  assert.equal(imported.code, 0, imported.stderr);
  return { folder, percept };
}

test('the recordings of a list are transcribed in its order, with the word error rate of each and of all', async (t) => {
  const { folder, percept } = await perceptIn(t);
  const alone = await percept(
    'transcribe',
    'a.wav',
    'b.wav',
    'c.wav',
    'd.wav',
    '--model',
    'my-vie',
    '--json',
  );
  const texts = alone.stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { text: string }).text);
  assert.equal(new Set(texts).size, 4);
  assert.ok(texts.every((text) => text !== ''));
  const rows = [
    `d.wav\t${texts[3]}`,
    `a.wav\t${texts[0]} one more`,
    'none.wav\twhatever',
    `b.wav\t${texts[1]}`,
    `more/a.wav\t`,
    `c.wav\t${texts[2]}`,
  ];
  await writeFile(join(folder, 'list.tsv'), `wav\ttxt\n${rows.join('\n')}\n`);

  const json = await percept('transcribe', '--list', 'list.tsv', '--model', 'my-vie', '--json');
  assert.equal(json.code, 1, json.stderr);
  const lines = json.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    lines.slice(0, -1).map(({ file }) => file),
    ['d.wav', 'a.wav', 'none.wav', 'b.wav', 'more/a.wav', 'c.wav'],
  );
  assert.deepEqual(
    [lines[0]!['text'], lines[1]!['text'], lines[3]!['text'], lines[5]!['text']],
    [3, 0, 1, 2].map((index) => texts[index]),
  );
  assert.deepEqual([lines[0]!['word_errors'], lines[1]!['word_errors']], [0, 2]);
  assert.equal((lines[2]!['error'] as { code: string }).code, 'not_found');
  const { total } = lines.at(-1) as { total: Record<string, number> };
  assert.deepEqual([total['files'], total['failures']], [6, 1]);

  const plain = await percept('transcribe', '--list', 'list.tsv', '--model', 'my-vie');
  assert.match(plain.stdout, /^d\.wav {2}WER 0\.00 %/);
  assert.match(plain.stdout, /\n\n5 files with a reference: WER \d+\.\d\d % \(\d+\/\d+\)\n$/);
  assert.match(plain.stderr, /none\.wav: There is no such file/);
  assert.ok(plain.stdout.includes(`\n${texts[1]}\n`));
});

test('a list goes to files of a directory, unless two would have one name', async (t) => {
  const { folder, percept } = await perceptIn(t);
  await writeFile(join(folder, 'list.tsv'), 'wav\nb.wav\nc.wav\n');
  const ran = await percept('transcribe', '--list', 'list.tsv', '-m', 'my-vie', '-f', 'srt', '-o', 'out');
  assert.deepEqual([ran.code, ran.stdout], [0, 'b.wav\nc.wav\n'], ran.stderr);
  assert.deepEqual(await readdir(join(folder, 'out')), ['b.srt', 'c.srt']);
  assert.match(await readFile(join(folder, 'out/b.srt'), 'utf8'), /^1\n00:00:0\d,\d\d\d --> /);

  await writeFile(join(folder, 'clash.tsv'), 'wav\na.wav\nmore/a.wav\n');
  const cases = [
    [['--list', 'clash.tsv', '-o', 'out'], /would both be written to out.a\.txt/],
    [['--list', 'list.tsv', '-f', 'vtt'], /add --output-dir to --format vtt/],
    [['--list', 'list.tsv', 'a.wav'], /Name the files to transcribe, or a list/],
    [[], /Name the files to transcribe, or a list/],
    [['--list', 'list.tsv', '--live'], /cannot be used with/],
  ] as const;
  for (const [words, message] of cases) {
    const refused = await percept('transcribe', ...words);
    assert.deepEqual([refused.code, refused.stdout], [2, ''], refused.stderr);
    assert.match(refused.stderr, message);
  }
});
