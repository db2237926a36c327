import assert from 'node:assert/strict';
import test from 'node:test';
import { readServerEvents, type ServerEvent } from '../../src/base/server-events.ts';

const STREAM =
  '\u{feff}: hello\r\nevent: a\r\ndata: {"x":"é€😀"}\r\n\r\ndata:one\rdata:  two\r\rid: 7\nretry: 1\n\ndata\n\nerror: {"message":"no"}\n\ndata: [DONE]';
const EVENTS: readonly ServerEvent[] = [
  { name: 'a', data: '{"x":"é€😀"}' },
  { name: 'message', data: 'one\n two' },
  { name: 'message', data: '' },
  { name: 'error', data: '{"message":"no"}' },
  { name: 'message', data: '[DONE]' },
];

test('events are the same however the bytes are cut, with every kind of line break', async () => {
  const bytes = Buffer.from(STREAM);
  for (let size = 1; size <= bytes.length; size += 1) {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
    assert.deepEqual(await read(pieces), EVENTS, `pieces of ${size}`);
  }
});

test('nothing, and comments alone, are no events', async () => {
  assert.deepEqual(await read([]), []);
  assert.deepEqual(await read([Buffer.from(': ping\n\n: ping\n\n')]), []);
});

test('a line and an event without end are errors, not memory', async () => {
  const endless = (text: string) => Array<Uint8Array>(70).fill(Buffer.alloc(2 ** 19, text));
  await assert.rejects(read([Buffer.from('data: '), ...endless('x')]), /line does not end/);
  await assert.rejects(read(endless('data: xxxxxxxxxxxxxxxxxxxxxxxxx\n')), /event does not end/);
});

async function read(pieces: readonly Uint8Array[]): Promise<ServerEvent[]> {
  async function* bytes() {
    yield* pieces;
  }
  const events: ServerEvent[] = [];
  for await (const one of readServerEvents(bytes())) events.push(one);
  return events;
}
