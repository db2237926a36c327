import assert from 'node:assert/strict';
import test from 'node:test';
import { splitLines } from '../../src/base/line-splitter.ts';

function split(pieces: readonly Buffer[], maxLength = 100): string[] {
  const lines: string[] = [];
  const splitter = splitLines(maxLength, (line) => lines.push(line));
  for (const piece of pieces) splitter.add(piece);
  splitter.end();
  return lines;
}

test('lines come whole wherever the bytes are cut, even within a character', () => {
  const bytes = Buffer.from('première\r\n\nдве\nlast');
  const wanted = ['première', 'две', 'last'];
  assert.deepEqual(split([bytes]), wanted);
  assert.deepEqual(split(Array.from(bytes, (byte) => Buffer.of(byte))), wanted);
});

test('a line that never ends is cut and costs no memory', () => {
  const pieces = Array.from({ length: 1000 }, () => Buffer.alloc(1000, 'x'));
  assert.deepEqual(split(pieces, 10), ['x'.repeat(10)]);
});
