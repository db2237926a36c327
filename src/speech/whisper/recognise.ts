/**
 * Text of some windows, tried harder where it looks wrong. A trimmed window that fails is heard again at full length, then at rising
 * temperatures, as openai/whisper's `decode_with_fallback` does; what fails everywhere is the likeliest that does not repeat itself.
 */
import type { EncodedWindows, WhisperBackend } from '../../backends/contract.ts';
import type { TranscribeOptions } from '../transcript.ts';
import { type DecodedWindow, decodeBatch } from './decode-batch.ts';
import { type MelFrontEnd, SAMPLE_RATE } from './mel.ts';
import type { Method } from './search.ts';
import { compressionRatio, cutAtTimestamps } from './segments.ts';
import type { Stopwatch } from './stopwatch.ts';
import type { Tokenizer } from './tokenizer.ts';
import type { WhisperTokens } from './tokens.ts';
import { MAX_WINDOW_FRAMES, type Window } from './windows.ts';

export interface Recogniser {
  readonly backend: WhisperBackend;
  readonly tokens: WhisperTokens;
  readonly tokenizer: Tokenizer;
  readonly frontEnd: MelFrontEnd;
}

export interface RecogniseContext {
  readonly samples: Float32Array;
  readonly options: TranscribeOptions;
  readonly prompt: readonly number[];
  readonly stopwatch: Stopwatch;
  readonly signal: AbortSignal;
}

export interface Recognised extends DecodedWindow {
  readonly temperature: number;
  readonly compressionRatio: number;
  /** No speech after all: nothing is to be said of it. */
  readonly isSilent: boolean;
}

/** Draws side by side at a temperature above 0 (openai/whisper: best_of). */
const DRAWS = 5;
/**
 * A window may take this many tokens before it is taken for a repetition and heard again at full length. Spoken English needs
 * 3 to 5 a second; scripts that Whisper's vocabulary spells in bytes need up to 12.
 */
const TOKENS_PER_SECOND = 12;
const SPARE_TOKENS = 16;

/** Encodes windows of one length as a batch. */
export async function encodeWindows(
  windows: readonly Window[],
  frames: number,
  context: { recogniser: Recogniser; samples: Float32Array; stopwatch: Stopwatch },
): Promise<EncodedWindows> {
  const { backend, frontEnd } = context.recogniser;
  const mel = context.stopwatch.measure('features', () => {
    const size = backend.melBins * frames;
    const all = new Float32Array(windows.length * size);
    windows.forEach((window, place) => {
      all.set(frontEnd.features(context.samples.subarray(window.start, window.end), frames), place * size);
    });
    return all;
  });
  return context.stopwatch.measureAsync('encoder', () =>
    backend.encode(mel, { count: windows.length, frames }),
  );
}

/** Consumes `audio`, the encoded `windows`. The results are in the order of the windows. */
export async function recognise(
  recogniser: Recogniser,
  batch: { readonly windows: readonly Window[]; readonly audio: EncodedWindows; readonly frames: number },
  context: RecogniseContext,
): Promise<Recognised[]> {
  const { windows, audio, frames } = batch;
  const method = methodAt(context.options.temperatures[0]!, context.options);
  const first = await attempt(recogniser, { windows, audio, frames, method }, context);
  const results: Recognised[] = [];
  for (const [place, window] of windows.entries()) {
    const result = first[place]!;
    results.push(
      needsRetry(result, window, { recogniser, options: context.options })
        ? await retry(recogniser, { window, frames, result }, context)
        : result,
    );
  }
  return results;
}

interface Attempt {
  readonly windows: readonly Window[];
  readonly audio: EncodedWindows;
  readonly frames: number;
  readonly method: Method;
}

async function attempt(
  recogniser: Recogniser,
  input: Attempt,
  context: RecogniseContext,
): Promise<Recognised[]> {
  const { backend, tokens, tokenizer } = recogniser;
  const { options, prompt, signal } = context;
  const longest = Math.floor(backend.maxTokens / 2);
  const isTrimmed = input.frames < MAX_WINDOW_FRAMES;
  const seconds = input.windows.map((window) => (window.end - window.start) / SAMPLE_RATE);
  const decoded = await context.stopwatch.measureAsync('decoder', () =>
    decodeBatch(input.audio, {
      backend,
      tokens,
      method: input.method,
      prompt,
      frames: input.frames,
      signal,
      maxTokens: seconds.map((length) =>
        isTrimmed ? Math.min(longest, SPARE_TOKENS + Math.ceil(TOKENS_PER_SECOND * length)) : longest,
      ),
      alignSeconds: options.wordTimestamps ? seconds : undefined,
    }),
  );
  return decoded.map((window) => ({
    ...window,
    temperature: input.method.kind === 'draw' ? input.method.temperature : 0,
    compressionRatio: compressionRatio(tokenizer.decode(window.tokens).trim()),
    isSilent: window.noSpeechProb > options.noSpeechThreshold && window.avgLogprob < options.logprobThreshold,
  }));
}

function methodAt(temperature: number, options: TranscribeOptions): Method {
  if (temperature > 0) return { kind: 'draw', temperature, rows: DRAWS };
  return { kind: 'beam', size: options.beamSize };
}

function needsRetry(
  result: Recognised,
  window: Window,
  { recogniser, options }: { recogniser: Recogniser; options: TranscribeOptions },
): boolean {
  if (result.isSilent) return false;
  return (
    result.isCut ||
    result.compressionRatio > options.compressionRatioThreshold ||
    result.avgLogprob < options.logprobThreshold ||
    speaksAfterEnd(result, window, recogniser.tokens.firstTimestamp)
  );
}

/** A segment that begins after the window's audio has ended was not heard: the sign of a repetition in a trimmed window. */
function speaksAfterEnd(result: Recognised, window: Window, firstTimestamp: number): boolean {
  const seconds = (window.end - window.start) / SAMPLE_RATE;
  return cutAtTimestamps(result.tokens, firstTimestamp, seconds).runs.some(
    (run) => run.startSeconds >= seconds,
  );
}

async function retry(
  recogniser: Recogniser,
  failed: { readonly window: Window; readonly frames: number; readonly result: Recognised },
  context: RecogniseContext,
): Promise<Recognised> {
  const { window, frames, result } = failed;
  const { temperatures } = context.options;
  // At full length the first temperature gets another chance, unless full length is what has just failed.
  const ladder = frames < MAX_WINDOW_FRAMES ? temperatures : temperatures.slice(1);
  const tried = [result];
  for (const temperature of ladder) {
    const windows = [window];
    const audio = await encodeWindows(windows, MAX_WINDOW_FRAMES, { recogniser, ...context });
    const method = methodAt(temperature, context.options);
    const [next] = await attempt(recogniser, { windows, audio, frames: MAX_WINDOW_FRAMES, method }, context);
    if (!needsRetry(next!, window, { recogniser, options: context.options })) return next!;
    tried.push(next!);
  }
  const sound = tried.filter((one) => one.compressionRatio <= context.options.compressionRatioThreshold);
  return (sound.length > 0 ? sound : tried).reduce((best, one) =>
    one.avgLogprob > best.avgLogprob ? one : best,
  );
}
