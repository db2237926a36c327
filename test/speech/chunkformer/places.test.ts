import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Sound } from '../../../src/audio/sound.ts';
import { createPlaces } from '../../../src/speech/chunkformer/places.ts';

const SHORT = 10 * 16_000;
const LONG = 3 * 3600 * 16_000;

/** Recordings that are heard until they are told to end. */
function setUp() {
  const places = createPlaces();
  const open = new Set<string>();
  const heard: string[] = [];
  const ends = new Map<string, () => void>();
  let opened = 0;
  return {
    heard,
    opened: () => opened,
    async hear(name: string, length: number, signal = new AbortController().signal) {
      await places.hear(
        {
          async open(): Promise<Sound> {
            opened += 1;
            open.add(name);
            return { length, read: () => new Float32Array(0), close: () => void open.delete(name) };
          },
          async use() {
            heard.push(name);
            await new Promise<void>((resolve) => ends.set(name, resolve));
          },
        },
        signal,
      );
    },
    async end(name: string) {
      ends.get(name)!();
      await nextTurn();
    },
    open,
  };
}

test('four recordings are heard at once, and only their sounds are open', async () => {
  const { hear, heard, open, end } = setUp();
  const all = ['a', 'b', 'c', 'd', 'e'].map((name) => hear(name, SHORT));
  await nextTurn();
  assert.deepEqual(heard, ['a', 'b', 'c', 'd']);
  assert.deepEqual([...open], heard);
  await end('c');
  assert.deepEqual(heard, ['a', 'b', 'c', 'd', 'e']);
  for (const name of 'abde') await end(name);
  await Promise.all(all);
  assert.equal(open.size, 0);
});

test('a short recording has a place however many long ones there are, and each of them is heard', async () => {
  const { hear, heard, open, opened, end } = setUp();
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const all = names.map((name) => hear(name, LONG));
  await nextTurn();
  assert.deepEqual(heard, ['a', 'b', 'c']);
  assert.deepEqual([...open], heard);
  all.push(hear('short', SHORT));
  await nextTurn();
  assert.deepEqual(heard, ['a', 'b', 'c', 'short']);
  for (const name of ['short', ...names]) await end(name);
  await Promise.all(all);
  assert.deepEqual(heard, ['a', 'b', 'c', 'short', 'd', 'e', 'f']);
  assert.equal(opened(), 3 + 1 + 2 * 3);
});

test('one that is cancelled while it waits keeps no place', async () => {
  const { hear, heard, end } = setUp();
  const all = ['a', 'b', 'c'].map((name) => hear(name, LONG));
  const controller = new AbortController();
  const cancelled = assert.rejects(hear('d', LONG, controller.signal), { code: 'cancelled' });
  await nextTurn();
  controller.abort();
  await cancelled;
  all.push(hear('e', LONG));
  await nextTurn();
  await end('b');
  assert.deepEqual(heard, ['a', 'b', 'c', 'e']);
  for (const name of 'ace') await end(name);
  await Promise.all(all);
});
