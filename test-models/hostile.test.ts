/** Whatever is sent, the answer is the stated one, the service stays well, and nothing is left on disk. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import test from 'node:test';
import { fixture, makeWithFfmpeg, withoutFfmpeg } from '../test/support/audio.ts';
import { eventually, isAlive } from '../test/support/processes.ts';
import { temporaryFolder } from '../test/support/temporary.ts';
import { sine, wavFile } from '../test/support/wav.ts';
import { SAMPLE_RATE, silence, wav, whiteNoise } from './support/recordings.ts';
import { type RunningService, serviceOfFile, startService } from './support/service.ts';
import { librivox, missingWeights } from './support/weights.ts';

const ROUTE = '/v1/audio/transcriptions';
const skip = await missingWeights('whisper-base-int8');
const [, recording] = skip === false ? await librivox() : [];
const SERVICES = {
  'with ffmpeg': serviceOfFile(skip),
  'with the built-in decoders': serviceOfFile(skip, { env: { PERCEPT_AUDIO_FFMPEG: 'off' } }),
};

/** What is answered: an error, or an empty text of a recording so long. */
type Stated = { readonly status: number; readonly code: string } | { readonly durationSeconds: number };

interface File {
  readonly name?: string;
  readonly answer: Stated;
  bytes(): Promise<Uint8Array> | Uint8Array;
}

const second = () => sine(440, SAMPLE_RATE, SAMPLE_RATE);
const unsupported = { status: 415, code: 'unsupported_audio' } as const;

const FILES: Record<string, File> = {
  'an empty file': { answer: { status: 400, code: 'invalid_request' }, bytes: () => new Uint8Array() },
  'a file of one byte': { answer: unsupported, bytes: () => new Uint8Array(1) },
  'text renamed to mp3': {
    name: 'speech.mp3',
    answer: unsupported,
    bytes: () => Buffer.from('All happy families are alike. '.repeat(200)),
  },
  'an MP3 that breaks off': {
    name: 'speech.mp3',
    answer: { durationSeconds: 0.5 },
    bytes: async () => {
      const whole = await readFile(fixture('sine-440.mp3'));
      return whole.subarray(0, whole.length / 2);
    },
  },
  'an MP3 of its first bytes only': {
    name: 'speech.mp3',
    answer: unsupported,
    bytes: async () => (await readFile(fixture('sine-440.mp3'))).subarray(0, 30),
  },
  'one second under a header of ten hours': {
    answer: { durationSeconds: 1 },
    bytes: () =>
      wavFile(second(), { sampleRate: SAMPLE_RATE, claimedDataBytes: 10 * 3600 * 2 * SAMPLE_RATE }),
  },
  'a WAVE file that claims 1 Hz': { answer: unsupported, bytes: () => wavFile(second(), { sampleRate: 1 }) },
  'a twentieth of a second': {
    answer: { status: 400, code: 'audio_too_short' },
    bytes: () => wav(second().subarray(0, SAMPLE_RATE / 20)),
  },
  'ten seconds of silence': { answer: { durationSeconds: 10 }, bytes: () => wav(silence(10)) },
  'ten seconds of noise': { answer: { durationSeconds: 10 }, bytes: () => wav(whiteNoise(10, 0.3)) },
  'a playlist named .wav': {
    answer: unsupported,
    bytes: () => Buffer.from('#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n'),
  },
  'a concatenation script named .wav': {
    answer: unsupported,
    bytes: () => Buffer.from('ffconcat version 1.0\nfile /etc/passwd\n'),
  },
};

for (const [way, service] of Object.entries(SERVICES)) {
  for (const [name, { name: fileName, answer, bytes }] of Object.entries(FILES)) {
    test(`${name}, ${way}`, { skip }, async () => {
      await unharmed(service(), async () => {
        const response = await post(service(), { bytes: await bytes(), fileName });
        await assertStated(response, answer);
      });
    });
  }

  test(`a video without sound, ${way}`, { skip: skip || withoutFfmpeg() }, async (t) => {
    const path = join(await temporaryFolder(t), 'silent.mp4');
    makeWithFfmpeg(['-f', 'lavfi', '-i', 'color=size=64x64:duration=1', path]);
    const bytes = await readFile(path);
    await unharmed(service(), async () => {
      await assertStated(await post(service(), { bytes, fileName: 'film.mp4' }), unsupported);
    });
  });
}

const service = SERVICES['with ffmpeg'];
const invalid = { status: 400, code: 'invalid_request' } as const;

const FORMS: Record<string, { fields?: Record<string, string>; fileName?: string; answer: Stated }> = {
  'two thousand fields': { fields: manyFields(2000), answer: invalid },
  'a temperature of a list': { fields: { temperature: '[0.2]' }, answer: invalid },
  'a temperature that is not finite': { fields: { temperature: '1e999' }, answer: invalid },
  'a beam of two and a half': { fields: { beam_size: '2.5' }, answer: invalid },
  'a format that is an object': { fields: { response_format: '{"type":"json"}' }, answer: invalid },
  'a language that is a number': { fields: { language: '42' }, answer: invalid },
  'NUL bytes in the language': { fields: { language: 'e\0n' }, answer: invalid },
  'NUL bytes in the name of a field': { fields: { 'lang\0uage': 'en' }, answer: invalid },
  'a field of 100 kB': { fields: { prompt: 'x'.repeat(100_000) }, answer: invalid },
  'a model outside of the store': {
    fields: { model: '../../etc/passwd' },
    answer: { status: 404, code: 'model_not_found' },
  },
  'a path in the file name': {
    fileName: '../../etc/passwd',
    answer: { status: 400, code: 'invalid_file_name' },
  },
  'a NUL byte in the file name': {
    fileName: 'speech\0.wav',
    answer: { status: 400, code: 'invalid_file_name' },
  },
};

for (const [name, { fields = {}, fileName, answer }] of Object.entries(FORMS)) {
  test(name, { skip }, async () => {
    const bytes = await readFile(recording!.path);
    await unharmed(service(), async () => {
      await assertStated(await post(service(), { bytes, fileName, fields }), answer);
    });
  });
}

test('a header of 20 kB', { skip }, async () => {
  await unharmed(service(), async () => {
    const headers = { 'x-long': 'y'.repeat(20_000) };
    const response = await fetch(`${service().url}/v1/models`, { headers });
    await assertStated(response, { status: 431, code: 'invalid_request' });
  });
});

for (const announces of [true, false]) {
  const name = announces ? 'its length announced' : 'its length not announced';
  test(`an upload of 700 MB against a limit of 500 MiB, ${name}`, { skip }, async () => {
    await unharmed(service(), async () => {
      assert.equal(await uploadZeros(service().url, { megabytes: 700, announces }), 413);
    });
  });
}

test('a server killed in the middle of an upload leaves a file, which the next one removes', {
  skip,
}, async (t) => {
  const killed = await startService();
  const [model] = killed.modelProcessIds();
  const upload = beginUpload(killed.url);
  t.after(() => upload.destroy());
  upload.write(Buffer.alloc(1_000_000));
  await eventually(async () => (await killed.uploads()).length > 0, 'the upload is on disk');
  await killed.kill();
  assert.equal((await killed.uploads()).length, 1);
  await eventually(() => !isAlive(model!), 'its model process has ended too');

  const next = await startService();
  t.after(() => next.stop());
  assert.deepEqual(await killed.uploads(), []);
  assert.deepEqual(await next.uploads(), []);
});

/** Does the work while health is watched, and then finds the service as it was before. */
async function unharmed(service: RunningService, work: () => Promise<void>): Promise<void> {
  const models = service.modelProcessIds();
  assert.equal(models.length, 1);
  const watch = watchHealth(service);
  try {
    await work();
  } finally {
    const statuses = await watch.end();
    assert.deepEqual([...statuses], [200]);
  }
  await eventually(async () => (await service.uploads()).length === 0, 'no upload is left on disk');
  await eventually(async () => (await service.health()).queueDepth === 0, 'no turn is taken');
  assert.deepEqual(service.modelProcessIds(), models);
  const response = await post(service, { bytes: await readFile(recording!.path) });
  assert.equal(response.status, 200);
  assert.match(((await response.json()) as { text: string }).text, /^He was not an /);
}

function watchHealth(service: RunningService): { end(): Promise<ReadonlySet<number>> } {
  const statuses = new Set<number>();
  let isOver = false;
  const watching = (async () => {
    do {
      statuses.add((await service.health()).status);
      await new Promise((resolve) => setTimeout(resolve, 20));
    } while (!isOver);
  })();
  return {
    async end() {
      isOver = true;
      await watching;
      return statuses;
    },
  };
}

async function assertStated(response: Response, answer: Stated): Promise<void> {
  const body = (await response.json()) as Record<string, unknown>;
  if ('durationSeconds' in answer) {
    assert.equal(response.status, 200, JSON.stringify(body));
    assert.deepEqual([body['text'], body['segments']], ['', []]);
    // Where an MP3 breaks off depends on the last frame that its decoder takes for whole.
    assert.ok(Math.abs(Number(body['duration']) - answer.durationSeconds) < 0.03, String(body['duration']));
    return;
  }
  const error = body['error'] as Record<string, unknown>;
  assert.deepEqual({ status: response.status, code: error['code'] }, answer, JSON.stringify(error));
  assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type']);
}

interface Sent {
  readonly bytes: Uint8Array;
  readonly fileName?: string | undefined;
  readonly fields?: Readonly<Record<string, string>>;
}

/** The form is written by hand: FormData would escape what a hostile client does not. */
async function post(
  { url }: RunningService,
  { bytes, fileName = 'speech.wav', fields = {} }: Sent,
): Promise<Response> {
  const texts = Object.entries({ model: 'whisper-1', response_format: 'verbose_json', ...fields });
  const part = (disposition: string) => `--b\r\ncontent-disposition: form-data; ${disposition}\r\n\r\n`;
  const body = Buffer.concat([
    ...texts.map(([name, text]) => Buffer.from(`${part(`name="${name}"`)}${text}\r\n`)),
    Buffer.from(part(`name="file"; filename="${fileName}"`)),
    bytes,
    Buffer.from('\r\n--b--\r\n'),
  ]);
  const headers = { 'content-type': 'multipart/form-data; boundary=b' };
  return fetch(url + ROUTE, { method: 'POST', body, headers });
}

function beginUpload(url: string, headers: Readonly<Record<string, string>> = {}) {
  const upload = request(url + ROUTE, {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=b', ...headers },
  });
  // The other side may end it at any time; what it answered is what counts.
  upload.on('error', () => {});
  upload.write('--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n');
  return upload;
}

/** Sends zeros until it is answered; gives the status. */
async function uploadZeros(
  url: string,
  { megabytes, announces }: { megabytes: number; announces: boolean },
): Promise<number | undefined> {
  const piece = Buffer.alloc(1_000_000);
  const upload = beginUpload(url, announces ? { 'content-length': String(megabytes * piece.length) } : {});
  let status: number | undefined;
  const answered = new Promise<void>((resolve, reject) => {
    upload.on('response', (response) => {
      status = response.statusCode;
      resolve();
    });
    upload.on('close', () => reject(new Error('the connection was closed without an answer')));
  });
  for (let sent = 0; sent < megabytes && status === undefined; sent += 1) {
    if (upload.write(piece)) continue;
    await Promise.race([answered, new Promise((resolve) => upload.once('drain', resolve))]);
  }
  await answered;
  upload.destroy();
  return status;
}

function manyFields(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`field${index}`, 'x']));
}
