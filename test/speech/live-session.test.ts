/** Live sessions over a detector that takes loud frames for speech, and a recogniser that counts half seconds of it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { writePcm } from '../../src/audio/pcm-stream.ts';
import { createChannel } from '../../src/base/channel.ts';
import { AppError } from '../../src/base/errors.ts';
import type { LiveEvent, LiveInput, ResolvedLiveSettings } from '../../src/speech/live.ts';
import { type LiveSessionParts, runLiveSession } from '../../src/speech/live-session.ts';
import { type SpeechDetector, VAD_FRAME_SAMPLES } from '../../src/speech/silero.ts';
import type { TranscribeOptions } from '../../src/speech/transcript.ts';
import { createGate } from '../support/gate.ts';
import { eventually } from '../support/processes.ts';

type Input = LiveInput<ResolvedLiveSettings>;

const SETTINGS: ResolvedLiveSettings = {
  sampleRate: 16_000,
  detection: { threshold: 0.5, prefixMs: 320, silenceMs: 480 },
  options: { language: 'en' } as TranscribeOptions,
};
const MANUAL: ResolvedLiveSettings = { ...SETTINGS, detection: undefined };

const detector: SpeechDetector = {
  probabilities: () => assert.fail('a live session hears bit by bit'),
  listen() {
    let held: number[] = [];
    const push = async (samples: Float32Array) => {
      held.push(...samples);
      const count = Math.floor(held.length / VAD_FRAME_SAMPLES);
      const frames = Array.from({ length: count }, (_, index) =>
        held.slice(index * VAD_FRAME_SAMPLES, (index + 1) * VAD_FRAME_SAMPLES),
      );
      held = held.slice(count * VAD_FRAME_SAMPLES);
      return Float32Array.from(frames, (frame) => (Math.max(...frame) > 0.1 ? 0.9 : 0));
    };
    return { push, finish: push };
  },
  close: async () => {},
};

/** `w1 w2 ...`: one word for each half second of speech. */
function wordsOf(samples: Float32Array): string {
  const loud = samples.filter((sample) => sample > 0.1).length;
  return Array.from({ length: Math.floor(loud / 8000) }, (_, index) => `w${index + 1}`).join(' ');
}

/** Speech and silence by utterances, in seconds, beginning with silence; in chunks of 100 ms. */
function sound(...seconds: number[]): Input[] {
  const samples = seconds.flatMap((length, index) =>
    Array.from({ length: length * 16_000 }, () => (index % 2 === 1 ? 0.5 : 0)),
  );
  const chunks: Input[] = [];
  for (let at = 0; at < samples.length; at += 1600)
    chunks.push({ type: 'audio', pcm: writePcm(Float32Array.from(samples.slice(at, at + 1600))) });
  return chunks;
}

interface Session {
  readonly events: LiveEvent[];
  readonly heard: { readonly seconds: number; readonly isPartial: boolean; readonly isSpeech: boolean }[];
}

async function run(
  input: AsyncIterable<Input> | Iterable<Input>,
  { settings = SETTINGS, ...parts }: Partial<LiveSessionParts> = {},
): Promise<Session> {
  const events: LiveEvent[] = [];
  const heard: Session['heard'] = [];
  async function* chunks() {
    yield* input;
  }
  await runLiveSession(chunks(), {
    settings,
    detector,
    signal: new AbortController().signal,
    emit: (event) => events.push(event),
    isFree: () => true,
    recognise: async (samples, { isPartial, isSpeech }) => {
      heard.push({ seconds: samples.length / 16_000, isPartial, isSpeech });
      return wordsOf(samples);
    },
    ...parts,
  });
  return { events, heard };
}

const textsOf = (events: readonly LiveEvent[]) =>
  events.flatMap((event) => (event.type === 'completed' ? [event.text] : []));
const typesOf = (events: readonly LiveEvent[]) => events.map(({ type }) => type);

test('silence has no utterances', async () => {
  assert.deepEqual((await run(sound(3))).events, []);
});

test('each utterance begins, ends, is committed and has its text, with times of the sound', async () => {
  const { events } = await run(sound(1, 2, 1, 1, 1), { isFree: () => false });
  assert.deepEqual(typesOf(events), [
    ...['started', 'stopped', 'committed', 'delta', 'completed'],
    ...['started', 'stopped', 'committed', 'delta', 'completed'],
  ]);
  assert.deepEqual(textsOf(events), ['w1 w2 w3 w4', 'w1 w2']);
  const [started, stopped, committed] = events;
  assert.ok(started?.type === 'started' && stopped?.type === 'stopped' && committed?.type === 'committed');
  // A frame is 32 ms; the utterance begins 320 ms before the speech and ends 480 ms after it.
  assert.ok(Math.abs(started.atMs - 680) <= 32, `${started.atMs}`);
  assert.ok(Math.abs(stopped.atMs - 3480) <= 64, `${stopped.atMs}`);
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'committed' ? [[event.utterance, event.previous]] : [])),
    [
      [0, undefined],
      [1, 0],
    ],
  );
});

test('an utterance that goes on has deltas, and they join to the text', async () => {
  const { events, heard } = await run(sound(0.5, 6, 1));
  const deltas = events.flatMap((event) => (event.type === 'delta' ? [event.text] : []));
  assert.ok(deltas.length >= 3, `${deltas}`);
  assert.deepEqual(textsOf(events), [deltas.join('')]);
  assert.ok(heard.filter(({ isPartial }) => isPartial).length >= 4);
  const firstDelta = events.findIndex(({ type }) => type === 'delta');
  assert.ok(firstDelta < events.findIndex(({ type }) => type === 'stopped'));
});

test('an utterance that goes on is not heard again while the model is busy', async () => {
  const { heard } = await run(sound(0.5, 6, 1), { isFree: () => false });
  assert.deepEqual(
    heard.map(({ isPartial }) => isPartial),
    [false],
  );
});

test('the end of an utterance ends the hearing of its part', async () => {
  let isEnded = false;
  const { events } = await run(sound(0.5, 2, 1), {
    async recognise(samples, { isPartial, signal }) {
      if (!isPartial) return wordsOf(samples);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      isEnded = true;
      throw new AppError('cancelled', 'Ended.');
    },
  });
  assert.ok(isEnded);
  assert.deepEqual(textsOf(events), ['w1 w2 w3 w4']);
});

test('what is said when the sound ends is an utterance', async () => {
  const { events } = await run(sound(0.5, 2));
  assert.deepEqual(
    typesOf(events).filter((type) => type !== 'delta'),
    ['started', 'committed', 'completed'],
  );
  assert.deepEqual(textsOf(events), ['w1 w2 w3 w4']);
});

test('speech without a pause is cut into utterances, and nothing is lost', async () => {
  const { events, heard } = await run(sound(0.5, 60, 1), { isFree: () => false });
  const words = textsOf(events).flatMap((text) => text.split(' '));
  assert.ok(words.length >= 117 && words.length <= 120, `${words.length} words`);
  assert.ok(heard.length >= 3);
  for (const { seconds } of heard) assert.ok(seconds <= 25, `${seconds} s`);
  const places = events.flatMap((event) =>
    event.type === 'started' || event.type === 'stopped' ? [event.atMs] : [],
  );
  assert.equal(places[1], places[2], 'one utterance ends where the next begins');
});

test('a commit ends the utterance at once', async () => {
  const { events } = await run([...sound(0.5, 2), { type: 'commit' }, ...sound(0, 1, 1)], {
    isFree: () => false,
  });
  assert.deepEqual(textsOf(events), ['w1 w2 w3 w4', 'w1 w2']);
});

test('a commit of nothing is refused', async () => {
  const { events } = await run([{ type: 'commit', ref: 'a' }, ...sound(2), { type: 'commit', ref: 'b' }]);
  assert.deepEqual(events, [
    { type: 'refused', ref: 'a' },
    { type: 'refused', ref: 'b' },
  ]);
});

test('without turn detection utterances end where the caller says, silence and all', async () => {
  const input: Input[] = [...sound(1, 1, 1, 1), { type: 'commit' }, ...sound(2), { type: 'commit' }];
  const { events, heard } = await run(input, { settings: MANUAL });
  assert.deepEqual(typesOf(events), ['committed', 'delta', 'completed', 'committed', 'completed']);
  assert.deepEqual(textsOf(events), ['w1 w2 w3 w4', '']);
  assert.deepEqual(heard, [
    { seconds: 4, isPartial: false, isSpeech: false },
    { seconds: 2, isPartial: false, isSpeech: false },
  ]);
});

test('without turn detection somebody must commit', async () => {
  const minute = sound(0, 60);
  function* endless() {
    for (let count = 0; count < 11; count += 1) yield* minute;
  }
  await assert.rejects(run(endless(), { settings: MANUAL }), { code: 'audio_too_long' });
});

test('what is cleared has no text', async () => {
  for (const settings of [SETTINGS, MANUAL]) {
    const input: Input[] = [...sound(0.5, 2), { type: 'clear' }, ...sound(0, 1, 1), { type: 'commit' }];
    const { events } = await run(input, { settings, isFree: () => false });
    assert.deepEqual(textsOf(events), ['w1 w2']);
    assert.ok(typesOf(events).includes('cleared'));
  }
});

test('turn detection can be turned on and off, and nothing is lost', async () => {
  const off = await run(
    [...sound(0.5, 2), { type: 'configure', settings: MANUAL }, ...sound(3, 1), { type: 'commit' }],
    {
      isFree: () => false,
    },
  );
  assert.deepEqual(textsOf(off.events), ['w1 w2 w3 w4 w5 w6']);
  assert.deepEqual(
    off.events.flatMap((event) => ('utterance' in event ? [event.utterance] : [])),
    [0, 0, 0, 0],
  );
  const on = await run([...sound(0.5, 2), { type: 'configure', settings: SETTINGS }, ...sound(2, 1, 1)], {
    settings: MANUAL,
    isFree: () => false,
  });
  assert.deepEqual(textsOf(on.events), ['w1 w2 w3 w4', 'w1 w2']);
});

test('a new sample rate is that of the sound behind it', async () => {
  const fast: ResolvedLiveSettings = { ...SETTINGS, sampleRate: 24_000 };
  const second = sound(0, 1.5, 1);
  const { events } = await run([...sound(0.5, 1, 1), { type: 'configure', settings: fast }, ...second], {
    isFree: () => false,
  });
  assert.deepEqual(textsOf(events), ['w1 w2', 'w1 w2']);
});

test('an utterance that fails is told of, and the next is heard', async () => {
  let count = 0;
  const { events } = await run(sound(0.5, 1, 1, 1, 1), {
    isFree: () => false,
    async recognise(samples) {
      count += 1;
      if (count === 1) throw new AppError('invalid_request', 'No such language.');
      return wordsOf(samples);
    },
  });
  const failed = events.find(({ type }) => type === 'failed');
  assert.deepEqual(failed, {
    type: 'failed',
    utterance: 0,
    error: { code: 'invalid_request', message: 'No such language.' },
  });
  assert.deepEqual(textsOf(events), ['w1 w2']);
});

test('a fault of ours ends the session', async () => {
  const never = createChannel<Input>();
  for (const chunk of sound(0.5, 1, 1)) never.push(chunk);
  const failing = run(never, {
    recognise: async () => {
      throw new TypeError('a fault');
    },
  });
  await assert.rejects(failing, /a fault/);
});

test('an abort ends the session in the middle of an utterance', async () => {
  const controller = new AbortController();
  const input = createChannel<Input>();
  const begun = createGate();
  for (const chunk of sound(0.5, 2)) input.push(chunk);
  const session = run(input, {
    signal: controller.signal,
    recognise: async (_samples, { signal }) => {
      begun.open();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw new AppError('cancelled', 'Gone.');
    },
  });
  session.catch(() => {});
  await begun.opened;
  controller.abort();
  input.fail(new AppError('cancelled', 'Gone.'));
  await assert.rejects(session, { code: 'cancelled' });
});

test('listening waits while too many utterances wait for their text', async () => {
  const gate = createGate();
  let taken = 0;
  const chunks = sound(0.5, ...Array.from({ length: 80 }, (_, index) => (index % 2 === 0 ? 4 : 1)));
  function* counted() {
    for (const chunk of chunks) {
      taken += 1;
      yield chunk;
    }
  }
  const session = run(counted(), {
    isFree: () => false,
    recognise: async (samples) => {
      await gate.opened;
      return wordsOf(samples);
    },
  });
  let before = -1;
  await eventually(async () => {
    const isStill = before === taken && taken > 0;
    before = taken;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return isStill;
  }, 'listening stands still');
  // 30 s of utterances may wait; each comes with a second of silence.
  assert.ok(taken / 10 > 30 && taken / 10 < 50, `${taken / 10} s were taken`);
  gate.open();
  const { events } = await session;
  assert.equal(textsOf(events).length, 40);
});
