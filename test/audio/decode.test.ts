import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { decodeAudio } from '../../src/audio/decode.ts';
import { findFfmpeg } from '../../src/audio/ffmpeg.ts';
import { decodeOptions, fixture, makeWithFfmpeg, samplesOf, withoutFfmpeg } from '../support/audio.ts';
import { childProcessIds, eventually } from '../support/processes.ts';
import { fitSine } from '../support/signal.ts';
import { temporaryFile, temporaryFolder } from '../support/temporary.ts';
import { sine, wavFile } from '../support/wav.ts';

const FIXTURES = ['sine-440.mp3', 'sine-440.flac', 'sine-440-flac.ogg', 'sine-440.ogg', 'sine-440.opus'];
const skip = withoutFfmpeg();
const paths = [
  { ffmpeg: 'off', way: 'without ffmpeg', skip: false },
  { ffmpeg: 'auto', way: 'with ffmpeg', skip },
] as const;

function assertSine(samples: Float32Array): void {
  const { correlation, amplitude } = fitSine(samples, { frequency: 440, rate: 16_000, edge: 1600 });
  assert.ok(correlation >= 0.999, `correlation ${correlation}`);
  assert.ok(Math.abs(amplitude - 0.5) < 0.03, `amplitude ${amplitude}`);
}

for (const { ffmpeg, way, skip } of paths) {
  for (const name of FIXTURES) {
    test(`${name} is decoded ${way}`, { skip }, async () => {
      const progress: number[] = [];
      const onProgress = (seconds: number) => progress.push(seconds);
      const pcm = await decodeAudio(fixture(name), decodeOptions({ ffmpeg, onProgress }));
      assert.ok(Math.abs(pcm.durationSeconds - 1) < 0.004, `${pcm.durationSeconds} s`);
      assert.equal(progress.at(-1), pcm.durationSeconds);
      assertSine(samplesOf(pcm));
    });
  }

  test(`the name of a file says nothing about its format ${way}`, { skip }, async (context) => {
    const path = await temporaryFile(context, 'recording.wav', readFileSync(fixture('sine-440.mp3')));
    assertSine(samplesOf(await decodeAudio(path, decodeOptions({ ffmpeg }))));
  });

  test(`an MP3 that breaks off gives what there is ${way}`, { skip }, async (context) => {
    const half = readFileSync(fixture('sine-440.mp3')).subarray(0, 4500);
    const path = await temporaryFile(context, 'half.mp3', half);
    const pcm = await decodeAudio(path, decodeOptions({ ffmpeg }));
    assert.ok(pcm.durationSeconds > 0.4 && pcm.durationSeconds < 0.7, `${pcm.durationSeconds} s`);
  });

  test(`what is not audio is refused ${way}`, { skip }, async (context) => {
    const hostile = {
      'one-byte.wav': 'x',
      'text.mp3': 'Only some words, and no sound at all.\n'.repeat(200),
      'binary.mp3': Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * index * 31) % 251)),
      'playlist.wav': `ffconcat version 1.0\nfile '${fixture('sine-440.mp3')}'\n`,
      'playlist.mp4': `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n${fixture('sine-440.mp3')}\n#EXT-X-ENDLIST\n`,
      'header-only.mp3': readFileSync(fixture('sine-440.mp3')).subarray(0, 40),
      'header-only.flac': readFileSync(fixture('sine-440.flac')).subarray(0, 60),
      'header-only.ogg': readFileSync(fixture('sine-440.ogg')).subarray(0, 100),
    };
    for (const [name, content] of Object.entries(hostile)) {
      const path = await temporaryFile(context, name, Buffer.from(content));
      await assert.rejects(
        decodeAudio(path, decodeOptions({ ffmpeg })),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'unsupported_audio', `${name}: ${error.message}`);
          assert.ok(!error.message.includes(path), 'the path of an upload stays inside');
          return true;
        },
      );
    }
  });

  test(`more audio than the limit is refused ${way}`, { skip }, async () => {
    const options = decodeOptions({ ffmpeg, maxDurationSeconds: 0.5 });
    await assert.rejects(decodeAudio(fixture('sine-440.mp3'), options), { code: 'audio_too_long' });
  });

  test(`an abort ends the decoding process at once ${way}`, { skip }, async (context) => {
    const path = await temporaryFile(context, 'long.mp3', longMp3(3000));
    const abort = new AbortController();
    const onProgress = () => abort.abort();
    await assert.rejects(decodeAudio(path, decodeOptions({ ffmpeg, signal: abort.signal, onProgress })), {
      code: 'cancelled',
    });
    assert.deepEqual(childProcessIds(), []);
  });

  test(`decoding that takes too long is ended ${way}`, { skip }, async (context) => {
    const path = await temporaryFile(context, 'long.mp3', longMp3(3000));
    await assert.rejects(decodeAudio(path, decodeOptions({ ffmpeg, timeoutMs: 20 })), { code: 'timeout' });
    assert.deepEqual(childProcessIds(), []);
  });
}

test('a long recording is decoded in pieces, within bounded memory', async (context) => {
  const path = await temporaryFile(context, 'long.mp3', longMp3(600));
  let peakBytes = 0;
  const onProgress = () => {
    for (const pid of childProcessIds()) peakBytes = Math.max(peakBytes, peakMemoryBytes(pid));
  };
  const pcm = await decodeAudio(path, decodeOptions({ onProgress }));
  assert.ok(pcm.durationSeconds > 600, `${pcm.durationSeconds} s`);
  if (process.platform !== 'linux') return;
  assert.ok(peakBytes > 20e6, 'the peak was seen');
  // The samples of this recording alone are 40 MB, which the process must not hold; Node itself has some 60 MB.
  assert.ok(peakBytes < 180e6, `${(peakBytes / 1e6).toFixed(0)} MB`);
});

test('an aborted signal starts nothing', async () => {
  const options = decodeOptions({ signal: AbortSignal.abort() });
  await assert.rejects(decodeAudio(fixture('sine-440.mp3'), options), { code: 'cancelled' });
});

test('an empty file, a directory, a pipe and a device are refused with what they are', async (context) => {
  const folder = await temporaryFolder(context);
  const empty = await temporaryFile(context, 'empty.wav', new Uint8Array());
  await assert.rejects(decodeAudio(empty, decodeOptions()), { code: 'unsupported_audio', message: /empty/ });
  await assert.rejects(decodeAudio(folder, decodeOptions()), {
    code: 'unsupported_audio',
    message: /a directory/,
  });
  if (process.platform === 'win32') return;
  const pipe = join(folder, 'pipe.wav');
  execFileSync('mkfifo', [pipe]);
  for (const path of [pipe, '/dev/zero']) {
    await assert.rejects(decodeAudio(path, decodeOptions()), {
      code: 'unsupported_audio',
      message: /a device/,
    });
  }
});

test('a file that is not there is named', async () => {
  await assert.rejects(decodeAudio('/nowhere/at-all.wav', decodeOptions()), {
    code: 'not_found',
    message: /at-all\.wav/,
  });
});

test('without ffmpeg another container gets the remedy', async (context) => {
  const start = Buffer.concat([Buffer.from([0, 0, 0, 32]), Buffer.from('ftypM4A '), Buffer.alloc(2000)]);
  const path = await temporaryFile(context, 'recording.m4a', start);
  await assert.rejects(decodeAudio(path, decodeOptions()), {
    code: 'unsupported_audio',
    message: /apt install ffmpeg.*brew install ffmpeg.*winget install ffmpeg/,
  });
});

test('audio behind a large ID3 tag is found', async (context) => {
  const tag = Buffer.concat([
    Buffer.from('ID3\x04\x00\x00\x00\x10\x00\x00', 'latin1'),
    Buffer.alloc(0x10 << 14),
  ]);
  for (const name of ['sine-440.mp3', 'sine-440.flac']) {
    const path = await temporaryFile(context, name, Buffer.concat([tag, readFileSync(fixture(name))]));
    assertSine(samplesOf(await decodeAudio(path, decodeOptions())));
  }
});

test('damage in the middle of a file is passed over', async (context) => {
  const content = longMp3(20);
  content.fill(0x55, 30_000, 33_000);
  const path = await temporaryFile(context, 'damaged.mp3', content);
  const pcm = await decodeAudio(path, decodeOptions());
  assert.ok(pcm.durationSeconds > 18, `${pcm.durationSeconds} s`);
});

test('both ways agree on the length within 4 ms', { skip }, async () => {
  for (const name of FIXTURES) {
    const [a, b] = await Promise.all(
      paths.map(({ ffmpeg }) => decodeAudio(fixture(name), decodeOptions({ ffmpeg }))),
    );
    assert.ok(Math.abs(a!.durationSeconds - b!.durationSeconds) < 0.004, name);
  }
});

test('ffmpeg reads the containers that are not built in', { skip }, async (context) => {
  const folder = await temporaryFolder(context);
  for (const name of [
    'tone.m4a',
    'tone.webm',
    'tone.mka',
    'tone.aiff',
    'tone.caf',
    'tone.wma',
    'tone.ac3',
    'tone.aac',
  ]) {
    const path = join(folder, name);
    makeWithFfmpeg(['-i', fixture('sine-440.flac'), path]);
    assertSine(samplesOf(await decodeAudio(path, decodeOptions({ ffmpeg: 'auto' }))));
  }
});

test('of a video its sound is heard; a silent video is refused', { skip }, async (context) => {
  const folder = await temporaryFolder(context);
  const picture = ['-f', 'lavfi', '-i', 'testsrc=size=64x64:duration=1'];
  makeWithFfmpeg([...picture, '-i', fixture('sine-440.flac'), join(folder, 'sound.mp4')]);
  makeWithFfmpeg([...picture, join(folder, 'silent.mp4')]);
  const options = decodeOptions({ ffmpeg: 'auto' });
  assertSine(samplesOf(await decodeAudio(join(folder, 'sound.mp4'), options)));
  await assert.rejects(decodeAudio(join(folder, 'silent.mp4'), options), {
    code: 'unsupported_audio',
    message: /no audio stream/,
  });
});

test('ffmpeg mixes equal channels without changing their level', { skip }, async (context) => {
  const tone = sine(440, 48_000, 48_000);
  const frames = Float64Array.from({ length: tone.length * 2 }, (_, index) => tone[index >> 1]!);
  const content = wavFile(frames, { sampleRate: 48_000, channels: 2, encoding: 'f32' });
  const path = await temporaryFile(context, 'stereo.wav', content);
  const samples = samplesOf(await decodeAudio(path, decodeOptions({ ffmpeg: 'auto' })));
  const fit = fitSine(samples, { frequency: 440, rate: 16_000, edge: 1600 });
  assert.ok(Math.abs(fit.amplitude - 0.5) < 1e-4, String(fit.amplitude));
});

test('ffmpeg is refused a rate that would become gigabytes', { skip }, async (context) => {
  const folder = await temporaryFolder(context);
  makeWithFfmpeg(['-f', 'lavfi', '-i', 'aevalsrc=0.5*sin(t):s=100:d=60', join(folder, 'slow.au')]);
  await assert.rejects(decodeAudio(join(folder, 'slow.au'), decodeOptions({ ffmpeg: 'auto' })), {
    code: 'unsupported_audio',
    message: /sample rate of 100 Hz/,
  });
});

test('the ffmpeg on the path is found with its version', { skip }, async () => {
  assert.match((await findFfmpeg('auto'))?.version ?? '', /^\S+$/);
  assert.equal(await findFfmpeg('off'), undefined);
});

test('a configured ffmpeg that does not run is an error, not a fallback', async () => {
  const ffmpeg = '/nowhere/ffmpeg';
  const wanted = { code: 'invalid_config', message: /\/nowhere\/ffmpeg/ };
  await assert.rejects(findFfmpeg(ffmpeg), wanted);
  await assert.rejects(decodeAudio(fixture('sine-440.mp3'), decodeOptions({ ffmpeg })), wanted);
});

test('decoders that were killed from outside leave an error, not half of the audio', async (context) => {
  const path = await temporaryFile(context, 'long.mp3', longMp3(3000));
  const onProgress = () => {
    for (const pid of childProcessIds()) process.kill(pid, 'SIGKILL');
  };
  await assert.rejects(decodeAudio(path, decodeOptions({ onProgress })), {
    code: 'unsupported_audio',
    message: /ended by SIGKILL/,
  });
  await eventually(() => childProcessIds().length === 0, 'no decoding process is left');
});

/** About `seconds` of audio. */
function longMp3(seconds: number): Buffer {
  const second = readFileSync(fixture('sine-440-16k.mp3'));
  return Buffer.concat(Array.from({ length: seconds }, () => second));
}

function peakMemoryBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

test('16-bit mono at 16 kHz is read in place, sample for sample, even after its name is gone', async (context) => {
  const samples = sine(440, 16_000, 320_000);
  const path = await temporaryFile(context, 'as-heard.wav', wavFile(samples, { sampleRate: 16_000 }));
  const { sound, durationSeconds } = await decodeAudio(path, decodeOptions({ ffmpeg: 'off' }));
  rmSync(path);
  context.after(() => sound.close());
  assert.equal(durationSeconds, 20);
  const heard = sound.read(0, sound.length + 100);
  assert.equal(heard.length, samples.length);
  for (const [at, value] of heard.entries())
    assert.equal(value, Math.round(samples[at]! * 32_767) / 32_768 + 0);
  assert.deepEqual(sound.read(300_000, 300_010), heard.slice(300_000, 300_010));
  assert.equal(sound.read(sound.length, sound.length + 10).length, 0);
});
