import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { parseReferences, withReferences } from '../../src/cli/references.ts';
import { temporaryFolder } from '../support/temporary.ts';

const parse = (text: string) => parseReferences(text, { name: 'list.tsv', directory: '/recordings' });

test('a line of a TSV file is a path and what is said there; relative paths begin at its directory', () => {
  const references = parse('\uFEFFone.wav\tHello there.\r\n\n/else/two.mp3\t Good bye. \nsilence.wav\t\n');
  assert.deepEqual(
    [...references],
    [
      ['/recordings/one.wav', 'Hello there.'],
      ['/else/two.mp3', 'Good bye.'],
      ['/recordings/silence.wav', ''],
    ],
  );
});

for (const [what, text, message] of [
  [
    'without a tab',
    'a.wav\tA\nb.wav B',
    /^list\.tsv:2: expected PATH<TAB>REFERENCE, got a line without a tab/,
  ],
  ['with two tabs', 'a.wav\tA\tB', /^list\.tsv:1: .* got 2 tabs/],
  ['without a path', '\n\n \tA', /^list\.tsv:3: .* got no path/],
  ['that names a file again', 'a.wav\tA\n./a.wav\tB', /^list\.tsv:2: .* got \.\/a\.wav a second time/],
] as const) {
  test(`a line ${what} is refused with its number`, () => {
    assert.throws(() => parse(text), { code: 'usage', message });
  });
}

test('without a source the text beside a recording is its reference, and one without is still heard', async (t) => {
  const folder = await temporaryFolder(t);
  const [told, untold] = [join(folder, 'told.wav'), join(folder, 'untold.wav')];
  await writeFile(join(folder, 'told.txt'), 'Hello there.\n');
  assert.deepEqual(await withReferences([told, untold], undefined), [
    { path: told, reference: 'Hello there.' },
    { path: untold, reference: undefined },
  ]);
});

test('a directory must have a text for every recording', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'texts'));
  await writeFile(join(folder, 'texts', 'a.txt'), 'A');
  const texts = join(folder, 'texts');
  assert.deepEqual(await withReferences(['x/a.wav'], texts), [{ path: 'x/a.wav', reference: 'A' }]);
  await assert.rejects(withReferences(['x/a.wav', 'x/b.wav'], texts), {
    code: 'usage',
    message: /x\/b\.wav: there is no b\.txt/,
  });
  await assert.rejects(withReferences([], texts), { code: 'usage', message: /name the recordings/ });
});

test('a TSV file must know every recording, and is the list of them when none is named', async (t) => {
  const folder = await temporaryFolder(t);
  const list = join(folder, 'list.tsv');
  await writeFile(list, 'a.wav\tA\nb.wav\tB\n');
  const [a, b] = ['a.wav', 'b.wav'].map((name) => join(folder, name)) as [string, string];
  assert.deepEqual(await withReferences([b], list), [{ path: b, reference: 'B' }]);
  assert.deepEqual(await withReferences([], list), [
    { path: a, reference: 'A' },
    { path: b, reference: 'B' },
  ]);
  await assert.rejects(withReferences([a, 'c.wav'], list), {
    code: 'usage',
    message: /no reference for c\.wav/,
  });
  await writeFile(list, '\n');
  await assert.rejects(withReferences([], list), { code: 'usage', message: /no line/ });
  await assert.rejects(withReferences([a], join(folder, 'none.tsv')), { code: 'not_found' });
});
