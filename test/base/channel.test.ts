import assert from 'node:assert/strict';
import test from 'node:test';
import { createChannel } from '../../src/base/channel.ts';

async function all<T>(channel: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of channel) items.push(item);
  return items;
}

test('what is pushed comes out in order, before and while somebody reads', async () => {
  const channel = createChannel<number>();
  channel.push(1);
  const read = all(channel);
  channel.push(2);
  await Promise.resolve();
  channel.push(3);
  channel.end();
  channel.push(4);
  assert.deepEqual(await read, [1, 2, 3]);
});

test('a failure reaches the reader at once, and what was not read is dropped', async () => {
  const channel = createChannel<number>();
  const read = all(channel);
  channel.push(1);
  channel.fail(new Error('broken'));
  await assert.rejects(read, /broken/);
});

test('a reader that stops ends the channel', async () => {
  const channel = createChannel<number>();
  channel.push(1);
  channel.push(2);
  for await (const item of channel) {
    assert.equal(item, 1);
    break;
  }
  channel.push(3);
  assert.deepEqual(await all(channel), []);
});
