import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { createSoundWriter, soundOf } from '../../src/audio/sound.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** Values of 16 bits that tell their place. */
const at = (place: number) => ((place * 7919) % 65_536) / 32_768 - 1;
const stretch = (start: number, length: number) =>
  Float32Array.from({ length }, (_, index) => at(start + index));

/** Ten minutes are more than is kept in memory. */
for (const [name, length] of [
  ['a short sound', 300_001],
  ['a long sound', 9_600_001],
] as const) {
  test(`${name} is read as it was written, wherever it is cut`, async (t) => {
    const folder = await temporaryFolder(t);
    const writer = createSoundWriter(folder);
    for (let place = 0; place < length; place += 100_000)
      writer.append(stretch(place, Math.min(100_000, length - place)));
    assert.equal(writer.length, length);
    const sound = writer.finish();
    for (const start of [0, 262_143, length - 1000]) {
      assert.deepEqual(sound.read(start, start + 1000), stretch(start, 1000));
    }
    assert.equal(sound.read(length - 5, length + 5).length, 5);
    assert.equal(sound.read(length, length + 5).length, 0);
    sound.close();
    writer.discard();
  });
}

test('the file of a long sound has no name that could be left behind', {
  skip: process.platform === 'win32',
}, async (t) => {
  const folder = await temporaryFolder(t);
  const writer = createSoundWriter(folder);
  const openFiles = () => readdirSync('/dev/fd').length;
  const before = openFiles();
  for (let block = 0; block < 40; block += 1) writer.append(new Float32Array(2 ** 18));
  assert.equal(openFiles(), before + 1);
  assert.deepEqual(await readdir(join(folder, String(process.pid))), []);
  writer.discard();
  assert.equal(openFiles(), before);
});

test('sound in memory is read like any other', () => {
  const sound = soundOf(Float32Array.of(0.1, 0.2, 0.3));
  assert.deepEqual(sound.read(1, 9), Float32Array.of(0.2, 0.3));
  assert.equal(sound.read(5, 9).length, 0);
});
