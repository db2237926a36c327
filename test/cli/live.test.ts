/** The live command's parts: what it prints, and its session with a real server. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { AppError } from '../../src/base/errors.ts';
import { listenRemotely } from '../../src/cli/listen-remotely.ts';
import { createLivePrinter } from '../../src/cli/live-printer.ts';
import type { LiveEvent, LiveInput, LiveRequest } from '../../src/speech/live.ts';
import type { SpeechService } from '../../src/speech/service.ts';
import { startServer } from '../server/server-under-test.ts';

const UTTERANCES: readonly LiveEvent[] = [
  { type: 'started', utterance: 0, atMs: 500 },
  { type: 'delta', utterance: 0, text: 'Hello' },
  { type: 'stopped', utterance: 0, atMs: 2500 },
  { type: 'committed', utterance: 0, previous: undefined },
  { type: 'delta', utterance: 0, text: ' there.' },
  { type: 'completed', utterance: 0, text: 'Hello there.', seconds: 1.5 },
  { type: 'started', utterance: 1, atMs: 3000 },
  { type: 'committed', utterance: 1, previous: 0 },
  { type: 'completed', utterance: 1, text: '', seconds: 1 },
  { type: 'failed', utterance: 2, error: { code: 'invalid_request', message: 'No such language.' } },
];

function printed(options: { isTTY?: boolean; isJson?: boolean; columns?: number }) {
  const written = { stdout: '', stderr: '', failed: false };
  const print = createLivePrinter(
    {
      stdout: { write: (text) => (written.stdout += text), isTTY: options.isTTY, columns: options.columns },
      stderr: { write: (text) => (written.stderr += text) },
      fail: () => {
        written.failed = true;
      },
    },
    { isJson: options.isJson === true },
  );
  for (const event of UTTERANCES) print(event);
  return written;
}

test('a pipe gets a line for each utterance that has words', () => {
  assert.deepEqual(printed({}), {
    stdout: 'Hello there.\n',
    stderr: 'percept: No such language.\n',
    failed: true,
  });
});

test('a terminal shows the utterance that goes on, in one line', () => {
  const { stdout } = printed({ isTTY: true, columns: 10 });
  assert.equal(stdout, '\rHello\u001b[K\rlo there.\u001b[K\rHello there.\u001b[K\n');
});

test('JSON has an object for each utterance, with its times', () => {
  const { stdout, stderr } = printed({ isTTY: true, isJson: true });
  assert.deepEqual(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    [
      { start: 0.5, end: 2, text: 'Hello there.' },
      { error: { code: 'invalid_request', message: 'No such language.' } },
    ],
  );
  assert.equal(stderr, '');
});

/** What a session over a server with this model says. */
async function remote(
  context: TestContext,
  listen: SpeechService['listen'],
  { model, apiKey }: { model?: string; apiKey?: string } = {},
): Promise<LiveEvent[]> {
  const { url } = await startServer(context, { listen, options: { apiKeys: ['secret'] } });
  const events: LiveEvent[] = [];
  async function* input(): AsyncGenerator<LiveInput> {
    yield { type: 'audio', pcm: Buffer.alloc(3200) };
    yield { type: 'audio', pcm: Buffer.alloc(3200) };
  }
  await listenRemotely(input(), {
    server: `${url}/v1/`,
    apiKey: apiKey ?? 'secret',
    request: { model, language: 'en', prompt: undefined, sampleRate: 16_000 },
    signal: AbortSignal.timeout(10_000),
    onEvent: (event) => events.push(event),
  });
  return events;
}

test('a session over a server says the same, and ends when every utterance has its text', async (context) => {
  const requests: LiveRequest[] = [];
  const events = await remote(context, async (input, request, { onEvent }) => {
    requests.push(request);
    let bytes = 0;
    for await (const item of input) {
      if (item.type === 'audio') bytes += item.pcm.length;
      if (item.type === 'commit') {
        for (const event of UTTERANCES.slice(0, 5)) onEvent(event);
        onEvent({ type: 'refused', ref: item.ref });
      }
      // The last text comes behind the end of the sound.
      if (item.type === 'clear') {
        onEvent({ type: 'cleared' });
        setImmediate(() =>
          onEvent({ type: 'completed', utterance: 0, text: 'Hello there.', seconds: bytes / 32_000 }),
        );
      }
    }
  });
  assert.equal(requests[0]!.language, 'en');
  assert.deepEqual(events, [
    UTTERANCES[0],
    UTTERANCES[1],
    UTTERANCES[3],
    UTTERANCES[4],
    { type: 'cleared' },
    { type: 'completed', utterance: 0, text: 'Hello there.', seconds: 0.2 },
  ]);
});

test("a server's refusal is its own error, before the session and in it", async (context) => {
  const silent: SpeechService['listen'] = async (input) => {
    for await (const _ of input);
  };
  await assert.rejects(remote(context, silent, { apiKey: 'wrong' }), { code: 'unauthorized' });
  await assert.rejects(remote(context, silent, { model: 'nonsense' }), { code: 'model_not_found' });
  const failing: SpeechService['listen'] = async () => {
    throw new AppError('model_crashed', 'The process ended.');
  };
  await assert.rejects(remote(context, failing), { code: 'model_crashed', message: 'The process ended.' });
});

test('no server is server_unreachable', async () => {
  const session = listenRemotely((async function* () {})(), {
    server: 'http://127.0.0.1:9',
    request: { model: undefined, sampleRate: 16_000 },
    signal: AbortSignal.timeout(10_000),
    onEvent: () => {},
  });
  await assert.rejects(session, { code: 'server_unreachable' });
});
