import assert from 'node:assert/strict';
import test from 'node:test';
import { startProgress } from '../../src/cli/progress.ts';
import { formatTable } from '../../src/cli/table.ts';
import { formatBytes, formatClock } from '../../src/cli/units.ts';

function collect(isTTY: boolean) {
  const written: string[] = [];
  return { output: { isTTY, columns: 100, write: (text: string) => written.push(text) }, written };
}

test('on a terminal one line is drawn over, with rate and time left, and stands at the end', () => {
  const { output, written } = collect(true);
  let nowMs = 0;
  const progress = startProgress(output, { label: 'whisper-base', unit: 'bytes', now: () => nowMs });
  progress.update(0, 100e6);
  nowMs = 1000;
  progress.update(25e6, 100e6);
  assert.match(written.at(-1)!, /^\r.*whisper-base .*25 % {2}25\.0 MB of 100 MB {2}25\.0 MB\/s {2}0:03 left/);
  nowMs = 1010;
  progress.update(26e6, 100e6);
  assert.equal(written.length, 2, 'not drawn more often than ten times a second');
  nowMs = 4000;
  progress.update(100e6, 100e6);
  progress.end();
  assert.match(written.at(-2)!, /100 % {2}100 MB of 100 MB/);
  assert.equal(written.at(-1), '\n');
  assert.ok(written.slice(0, -1).every((text) => !text.includes('\n') && text.length < 110));
});

test('what was there before a resume does not count as speed', () => {
  const { output, written } = collect(true);
  let nowMs = 0;
  const progress = startProgress(output, { label: 'x', unit: 'bytes', now: () => nowMs });
  progress.update(90e6, 100e6);
  nowMs = 1000;
  progress.update(91e6, 100e6);
  assert.match(written.at(-1)!, /1\.00 MB\/s {2}0:09 left/);
});

test('without a terminal there is a line for each tenth and no control characters', () => {
  const { output, written } = collect(false);
  let nowMs = 0;
  const progress = startProgress(output, { label: 'talk.mp3', unit: 'seconds', now: () => nowMs });
  for (let done = 0; done <= 100; done += 1) {
    nowMs += 100;
    progress.update(done, 100);
  }
  progress.end();
  assert.equal(written.length, 11);
  assert.match(written[5]!, /^talk\.mp3 50 % {2}0:50 of 1:40 {2}10\.0x real time {2}0:05 left\n$/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is what is tested
  assert.doesNotMatch(written.join(''), /[\r\u001b]/);
});

test('bytes, times and tables are written for people', () => {
  assert.deepEqual([0, 999, 1000, 145_217_607, 1.538e9].map(formatBytes), [
    '0 B',
    '999 B',
    '1.00 kB',
    '145 MB',
    '1.54 GB',
  ]);
  assert.deepEqual([0, 7.4, 750, 7509].map(formatClock), ['0:00', '0:07', '12:30', '2:05:09']);
  assert.equal(
    formatTable([
      ['a', 'bb', 'c'],
      ['aaa', 'b', ''],
    ]),
    'a    bb  c\naaa  b\n',
  );
  assert.equal(formatTable([]), '');
});
