import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DecodeOptions } from '../../src/audio/decode.ts';
import type { Pcm } from '../../src/audio/pcm.ts';

/** Limits no test meets by accident; memory as in the product's defaults. */
export function decodeOptions(changes: Partial<DecodeOptions> = {}): DecodeOptions {
  return {
    signal: new AbortController().signal,
    ffmpeg: 'off',
    maxDurationSeconds: 4 * 3600,
    timeoutMs: 60_000,
    memoryBytes: 1.5 * 2 ** 30,
    directory: join(tmpdir(), 'percept-test-sounds'),
    ...changes,
  };
}

/** All of it, at once. */
export function samplesOf({ sound }: Pcm): Float32Array {
  const samples = sound.read(0, sound.length);
  sound.close();
  return samples;
}

/** The path of a committed file; tests run from dist/test/. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../../../test/fixtures/audio/${name}`, import.meta.url));
}

/** A reason to skip, shown by the runner, or false when the machine has ffmpeg. */
export function withoutFfmpeg(): string | false {
  try {
    execFileSync('ffmpeg', ['-version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'there is no ffmpeg on this machine';
  }
}

/** Runs ffmpeg to make a file from formulas. */
export function makeWithFfmpeg(args: readonly string[]): void {
  execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
