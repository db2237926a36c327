import { addAbortSignal, type Readable } from 'node:stream';
import { SAMPLE_RATE } from '../audio/pcm.ts';
import { writePcm } from '../audio/pcm-stream.ts';
import { Resampler } from '../audio/resample.ts';
import { readSoundStream } from '../audio/sound-stream.ts';
import type { LiveInput } from '../speech/live.ts';

/**
 * The sound of a pipe at 16 kHz, as it comes. An interrupt is the end of the sound, as it is for the program at the other end of the
 * pipe. The stream is closed afterwards, so that it does not hold the process.
 */
export async function* readLiveInput(
  stdin: Readable,
  { rawSampleRate, signal }: { readonly rawSampleRate: number; readonly signal: AbortSignal },
): AsyncGenerator<LiveInput> {
  let resampler: Resampler | undefined;
  try {
    for await (const { samples, sampleRate } of readSoundStream(until(signal, stdin), { rawSampleRate })) {
      if (sampleRate !== SAMPLE_RATE) resampler ??= new Resampler(sampleRate);
      yield { type: 'audio', pcm: writePcm(resampler?.push(samples) ?? samples) };
    }
    if (resampler !== undefined) yield { type: 'audio', pcm: writePcm(resampler.flush()) };
  } finally {
    stdin.destroy();
  }
}

async function* until(signal: AbortSignal, stream: Readable): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of addAbortSignal(signal, stream)) yield chunk as Uint8Array;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
