/**
 * Text of one window, tried harder where it looks wrong. A trimmed window that fails is heard again at full length, then without the text
 * before, then at rising temperatures, as openai/whisper's `decode_with_fallback` does; what fails everywhere is the likeliest that does not repeat itself.
 */
import { throwIfAborted } from '../../base/abort.ts';
import { compressionRatio } from '../compression-ratio.ts';
import type { TranscribeOptions } from '../transcript.ts';
import type { Batcher, HeardWindow, Listener, Recogniser } from './batcher.ts';
import { SAMPLE_RATE } from './mel.ts';
import type { Method } from './search.ts';
import { cutAtTimestamps } from './segments.ts';
import { framesFor, type Window } from './windows.ts';

export interface RecogniseContext {
  readonly batcher: Batcher;
  readonly recogniser: Recogniser;
  readonly listener: Listener;
  /** The text before, in tokens. */
  readonly previous: readonly number[];
  readonly options: TranscribeOptions;
}

export interface Recognised extends HeardWindow {
  readonly temperature: number;
  readonly compressionRatio: number;
  /** No speech after all: nothing is to be said of it. */
  readonly isSilent: boolean;
  /** The decoder had no room for all that is said: to be heard in shorter windows. */
  readonly isFull: boolean;
}

/** As many tokens as openai/whisper gives a text (`sample_len`): 30 s of speech never fill them, and what does is a repetition. */
const AMPLE_TEXT = 224;
/** Speech that is shorter than this does not fill any decoder. */
const SHORTEST_FULL_SECONDS = 2;

/** Draws side by side at a temperature above 0 (openai/whisper: best_of). */
const DRAWS = 5;

export async function recognise(window: Window, context: RecogniseContext): Promise<Recognised> {
  const { compressionRatioThreshold } = context.options;
  const tried: Recognised[] = [];
  for (const rung of ladder(window, context)) {
    const next = await attempt({ window, ...rung }, context);
    if (next.isFull || !needsRetry(next, window, context)) return next;
    tried.push(next);
  }
  const sound = tried.filter((one) => one.compressionRatio <= compressionRatioThreshold);
  return (sound.length > 0 ? sound : tried).reduce((best, one) =>
    one.avgLogprob > best.avgLogprob ? one : best,
  );
}

interface Rung {
  readonly frames: number;
  readonly temperature: number;
  /** The text before, in tokens. */
  readonly previous: readonly number[];
}

/** How a window is heard in turn: as short as it is, at full length, without the text before, which may lead astray, and ever more freely. */
function ladder(window: Window, { recogniser, previous, options }: RecogniseContext): Rung[] {
  const [first = 0, ...higher] = options.temperatures;
  const frames = framesFor(window, recogniser.backend.windowFrames);
  const longest = recogniser.backend.windowFrames.at(-1)!;
  const whole = { frames: longest, previous: [] };
  return [
    { frames, temperature: first, previous },
    ...(frames < longest ? [{ ...whole, temperature: first, previous }] : []),
    ...(previous.length > 0 ? [{ ...whole, temperature: first }] : []),
    ...higher.map((temperature) => ({ ...whole, temperature })),
  ];
}

async function attempt(
  { window, temperature, ...rung }: Rung & { readonly window: Window },
  context: RecogniseContext,
): Promise<Recognised> {
  const { batcher, listener, options, recogniser } = context;
  throwIfAborted(listener.signal);
  const decoded = await batcher.hear(listener, {
    window,
    ...rung,
    method: methodAt(temperature, options),
  });
  const ratio = compressionRatio(recogniser.tokenizer.decode(decoded.tokens).trim());
  return {
    ...decoded,
    temperature,
    compressionRatio: ratio,
    isSilent:
      decoded.noSpeechProb > options.noSpeechThreshold && decoded.avgLogprob < options.logprobThreshold,
    isFull:
      decoded.isCut &&
      recogniser.backend.maxText < AMPLE_TEXT &&
      ratio <= options.compressionRatioThreshold &&
      window.end - window.start > SHORTEST_FULL_SECONDS * SAMPLE_RATE,
  };
}

function methodAt(temperature: number, { beamSize }: TranscribeOptions): Method {
  return temperature > 0 ? { kind: 'draw', temperature, rows: DRAWS } : { kind: 'beam', size: beamSize };
}

function needsRetry(
  result: Recognised,
  window: Window,
  { recogniser, options }: Pick<RecogniseContext, 'recogniser' | 'options'>,
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
