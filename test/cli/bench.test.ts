/** What `percept bench` refuses before it loads or downloads anything. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../support/temporary.ts';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

interface Refused {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with a.wav and a list that knows only that one; the command runs there, without a network. */
async function benchIn(t: TestContext) {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'a.wav'), 'no audio');
  await writeFile(join(folder, 'b.wav'), 'no audio');
  await writeFile(join(folder, 'list.tsv'), 'a.wav\tHello.\n');
  await writeFile(join(folder, 'odd.tsv'), 'a.wav\tHello.\nb.wav Hello.\n');
  const env = { HOME: folder, PERCEPT_HOME: folder, PERCEPT_OFFLINE: '1' };
  return (...words: string[]) =>
    new Promise<Refused>((resolve) => {
      const child = execFile(
        process.execPath,
        [MAIN, 'bench', ...words],
        { cwd: folder, env },
        (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
      );
    });
}

for (const { name, words, code, says } of [
  {
    name: 'a file that is not there',
    words: ['a.wav', 'none.wav'],
    code: 1,
    says: /none\.wav: There is no such file/,
  },
  { name: 'a directory as a file', words: ['.'], code: 1, says: /not a regular file/ },
  { name: 'no round', words: ['a.wav', '--rounds', '0'], code: 2, says: /whole number from 1 to 1000/ },
  { name: 'half a beam', words: ['a.wav', '--beam-size', '2.5'], code: 2, says: /whole number from 1 to 20/ },
  { name: 'no thread', words: ['a.wav', '--threads', 'none'], code: 2, says: /whole number from 1 to 256/ },
  {
    name: 'a file that the list does not know',
    words: ['b.wav', '--references', 'list.tsv'],
    code: 2,
    says: /list\.tsv has no reference for b\.wav/,
  },
  {
    name: 'an odd line of the list',
    words: ['a.wav', '--references', 'odd.tsv'],
    code: 2,
    says: /odd\.tsv:2: expected PATH<TAB>REFERENCE/,
  },
  {
    name: 'references that are not there',
    words: ['a.wav', '--references', 'none.tsv'],
    code: 1,
    says: /no file or directory none\.tsv/,
  },
  {
    name: 'an unknown model',
    words: ['a.wav', '--model', 'whisper-bass'],
    code: 1,
    says: /no model "whisper-bass"\. Did you mean whisper-base/,
  },
  { name: 'a model that is not installed, offline', words: ['a.wav', '--json'], code: 1, says: /offline/i },
]) {
  test(`${name} is refused with exit code ${code}`, async (t) => {
    const bench = await benchIn(t);
    const refused = await bench(...words);
    assert.deepEqual([refused.code, refused.stdout], [code, '']);
    assert.match(refused.stderr, says);
  });
}
