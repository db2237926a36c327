import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { openNpy, writeNpy } from '../../src/graphs/npy.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A header as NumPy writes it, and numbers behind it. */
function file(header: string, data: Uint8Array, version = 1): Buffer {
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(header.length);
  else length.writeUInt32LE(header.length);
  return Buffer.concat([
    Buffer.from(`\x93NUMPY`, 'latin1'),
    Buffer.from([version, 0]),
    length,
    Buffer.from(header),
    data,
  ]);
}

async function opened(context: TestContext, content: Uint8Array) {
  const path = join(await temporaryFolder(context), 'table.npy');
  await writeFile(path, content);
  const table = openNpy(path);
  context.after(() => table.close());
  return table;
}

const NUMBERS = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);

test('rows are read by their number, whatever the version of the header', async (context) => {
  for (const version of [1, 2]) {
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
    const table = await opened(context, file(header, NUMBERS, version));
    assert.deepEqual(table.dims, [2, 3]);
    assert.deepEqual([...table.row(0)], [1, 2, 3]);
    assert.deepEqual([...table.row(1)], [4, 5, 6]);
  }
});

test('what is written is read again, and the numbers begin at a multiple of 64 bytes', async (context) => {
  const path = join(await temporaryFolder(context), 'table.npy');
  await writeNpy(path, Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2]);
  const table = openNpy(path);
  context.after(() => table.close());
  assert.deepEqual([...table.row(2)], [5, 6]);
  assert.equal(((await readFile(path)).length - 24) % 64, 0);
});

const WRONG: readonly (readonly [what: string, content: Buffer, message: RegExp])[] = [
  ['another file', Buffer.from('this is no table at all'), /does not begin as one/],
  ['an empty file', Buffer.alloc(0), /does not begin as one/],
  [
    'doubles',
    file("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", NUMBERS),
    /<f8, expected <f4/,
  ],
  [
    'columns',
    file("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", NUMBERS),
    /stored by columns/,
  ],
  ['a list', file("{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", NUMBERS), /1 dimensions/],
  ['a cut file', file("{'descr': '<f4', 'fortran_order': False, 'shape': (9, 3), }", NUMBERS), /asks for/],
  ['a header that is too long', file('{}'.padEnd(20_000), NUMBERS), /20000 bytes/],
];

for (const [what, content, message] of WRONG) {
  test(`${what} is refused`, async (context) => {
    await assert.rejects(opened(context, content), { code: 'unsupported_model', message });
  });
}
