/** From the tokens of a window to segments (openai/whisper transcribe.py, the part after `decode_with_fallback`). */
/** Seconds between two timestamp tokens. */
const TIMESTAMP_SECONDS = 0.02;

/** A stretch of a window between two timestamps; times in seconds from the start of the window. */
export interface TokenRun {
  readonly startSeconds: number;
  readonly endSeconds: number;
  /** Timestamps included, as OpenAI answers them. */
  readonly tokens: readonly number[];
}

export interface TokenRuns {
  readonly runs: readonly TokenRun[];
  /** Where the text says that its last whole segment ends; the window's end when nothing follows it. */
  readonly heardSeconds: number;
}

/** Cuts the tokens of one window at their timestamps. `windowSeconds` is the length of its audio without padding. */
export function cutAtTimestamps(
  tokens: readonly number[],
  firstTimestamp: number,
  windowSeconds: number,
): TokenRuns {
  const isStamp = (index: number) => (tokens[index] ?? -1) >= firstTimestamp;
  const secondsAt = (index: number) =>
    Math.min(windowSeconds, (tokens[index]! - firstTimestamp) * TIMESTAMP_SECONDS);
  const runs: TokenRun[] = [];
  let start = 0;
  for (let index = 1; index < tokens.length; index += 1) {
    if (!isStamp(index) || !isStamp(start) || !hasText(tokens, start, index, firstTimestamp)) continue;
    runs.push({
      startSeconds: secondsAt(start),
      endSeconds: Math.max(secondsAt(start), secondsAt(index)),
      tokens: tokens.slice(start, index + 1),
    });
    start = index + 1;
  }
  // The graph's rules make a text begin with a timestamp; what follows the last pair has no end of its own.
  const last = runs.at(-1)?.endSeconds ?? 0;
  if (!hasText(tokens, start, tokens.length, firstTimestamp))
    return { runs, heardSeconds: runs.length > 0 ? last : windowSeconds };
  const begin = isStamp(start) ? secondsAt(start) : last;
  runs.push({ startSeconds: begin, endSeconds: windowSeconds, tokens: tokens.slice(start) });
  return { runs, heardSeconds: windowSeconds };
}

function hasText(tokens: readonly number[], from: number, to: number, firstTimestamp: number): boolean {
  for (let index = from; index < to; index += 1) if (tokens[index]! < firstTimestamp) return true;
  return false;
}
