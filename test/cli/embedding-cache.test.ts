import assert from 'node:assert/strict';
import { stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { openEmbeddingCache } from '../../src/cli/embedding-cache.ts';
import { temporaryFolder } from '../support/temporary.ts';

const [FIRST, SECOND, THIRD] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string];
const embedding = () => Float32Array.of(0.6, 0, 0, 0.8);

test('what was put is there again; a record that was cut is not, and those behind it are', async (t) => {
  const path = join(await temporaryFolder(t), 'new', 'cache');
  const before = await openEmbeddingCache(path, 4);
  await before.put(FIRST, embedding());
  await before.put(SECOND, embedding());
  await truncate(path, (await stat(path)).size - 3);

  const cut = await openEmbeddingCache(path, 4);
  assert.deepEqual(cut.get(FIRST), embedding());
  assert.equal(cut.get(SECOND), undefined);
  await cut.put(THIRD, embedding());

  const after = await openEmbeddingCache(path, 4);
  assert.deepEqual(after.get(FIRST), embedding());
  assert.equal(after.get(SECOND), undefined);
  assert.deepEqual(after.get(THIRD), embedding());
});
