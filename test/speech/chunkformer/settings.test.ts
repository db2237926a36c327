import assert from 'node:assert/strict';
import test from 'node:test';
import { framesOf, partsOf } from '../../../src/speech/chunkformer/settings.ts';

const SETTINGS = { chunkSize: 64, leftContextSize: 128, rightContextSize: 128, totalBatchDuration: 14_400 };
const SHAPE = { layers: 12, reach: 7 };

test('a recording of up to two hours is one part, and longer ones begin anew every 7198.72 s', () => {
  const hour = 360_000;
  assert.deepEqual(partsOf(hour, SETTINGS, SHAPE), [
    { start: 0, frames: framesOf(hour), kept: framesOf(hour) },
  ]);
  const parts = partsOf(5 * hour, SETTINGS, SHAPE);
  assert.deepEqual(
    parts.map(({ start }) => start),
    [0, 1406 * 64, 2 * 1406 * 64],
  );
  // What the right contexts of twelve layers reach.
  assert.equal(parts[0]!.frames - parts[0]!.kept, 12 * 128);
});

test('parts keep every frame once', () => {
  const settings = { chunkSize: 8, leftContextSize: 16, rightContextSize: 8, totalBatchDuration: 2.6 };
  for (let features = 0; features < 1200; features += 1) {
    const parts = partsOf(features, settings, { layers: 3, reach: 7 });
    let next = 0;
    for (const { start, frames, kept } of parts) {
      assert.equal(start, next);
      assert.ok(kept > 0 && kept <= frames);
      next += kept;
    }
    assert.equal(next, framesOf(features), `${features} features`);
  }
});

test('a duration too short for a chunk counts as one chunk', () => {
  const settings = { ...SETTINGS, totalBatchDuration: 1 };
  assert.equal(partsOf(100_000, settings, SHAPE)[1]?.start, 64);
});
