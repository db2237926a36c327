import assert from 'node:assert/strict';
import test from 'node:test';
import { processPeakMemoryBytes, processTreeMemoryBytes } from '../../src/engine/memory.ts';

const skip = process.platform !== 'linux' && 'the peak is known on Linux only';

test('the peak stays when memory is given back, and an ended process has none', { skip }, async () => {
  const before = await processPeakMemoryBytes(process.pid);
  assert.ok(before! >= (await processTreeMemoryBytes(process.pid)) / 2);
  let held: Buffer | undefined = Buffer.alloc(100_000_000, 1);
  assert.equal(held.at(-1), 1);
  held = undefined;
  assert.ok((await processPeakMemoryBytes(process.pid))! >= before! + 50_000_000);
  // Larger than any process id of Linux (2^22).
  assert.equal(await processPeakMemoryBytes(2 ** 23), undefined);
});
