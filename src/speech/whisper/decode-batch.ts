/** Decodes several windows of one length as one batch; a window that has ended leaves the batch. */
import type { DecodeOutput, EncodedWindows, WhisperBackend } from '../../backends/contract.ts';
import { throwIfAborted } from '../../base/abort.ts';
import { alignText } from './align.ts';
import { createLogitRules } from './logit-rules.ts';
import { candidatesOf, createSearch, type Method, meanLogprob, type Search } from './search.ts';
import type { WhisperTokens } from './tokens.ts';

export interface DecodeRequest {
  readonly backend: WhisperBackend;
  readonly tokens: WhisperTokens;
  readonly method: Method;
  /** The same for every window: previous text, start of transcript, language, task. */
  readonly prompt: readonly number[];
  /** Longest text of each window, in tokens. */
  readonly maxTokens: readonly number[];
  /** Length of the encoded windows in mel frames; no timestamp lies outside. */
  readonly frames: number;
  readonly signal: AbortSignal;
  /** Length of each window's audio, when the times of its tokens are wanted. */
  readonly alignSeconds?: readonly number[] | undefined;
}

export interface DecodedWindow {
  /** Text and timestamp tokens. */
  readonly tokens: readonly number[];
  readonly avgLogprob: number;
  readonly noSpeechProb: number;
  /** The text was cut by `maxTokens`. */
  readonly isCut: boolean;
  /** Where each text token begins, and where the last one ends, in seconds from the window's start; undefined if not asked for. */
  readonly tokenTimes: readonly number[] | undefined;
}

/** Windows of a batch that still run: their place in the request and their search, in the order of the decoder's rows. */
interface Active {
  readonly place: number;
  readonly search: Search;
}

/** Consumes `audio`. The result has one entry for each window, in their order. */
export async function decodeBatch(audio: EncodedWindows, request: DecodeRequest): Promise<DecodedWindow[]> {
  const { backend, tokens, method, prompt } = request;
  const rules = createLogitRules(tokens, Math.min(tokens.timestamps, request.frames / 2 + 1));
  const searches = request.maxTokens.map((maxTokens) =>
    createSearch(method, { rules, endOfText: tokens.endOfText, maxTokens }),
  );
  const rowsPerWindow = searches[0]!.rows;
  const startIndex = prompt.lastIndexOf(tokens.startOfTranscript);
  const step = { select: [0], candidates: candidatesOf(method), withLogits: method.kind === 'draw' };

  let windows = audio;
  let output = await backend.decode({
    ...step,
    audio: windows,
    state: undefined,
    tokens: searches.map(() => prompt),
    select: [startIndex, prompt.length - 1],
    withLogits: true,
  });
  const noSpeech = searches.map((_, row) => noSpeechProbability(output, 2 * row, tokens));
  let active: Active[] = searches.map((search, place) => ({ place, search }));
  let rows = 1;
  let selected = { count: 2, place: 1 };
  const tokenTimes: DecodedWindow['tokenTimes'][] = searches.map(() => undefined);

  for (;;) {
    throwIfAborted(request.signal);
    const advances = active.map(({ search }, window) =>
      search.advance(
        Array.from({ length: rows }, (_, row) => ({
          output,
          index: (window * rows + row) * selected.count + selected.place,
        })),
      ),
    );
    for (const [index, { place, search }] of active.entries()) {
      if (advances[index] === undefined)
        tokenTimes[place] = await timesOf(search, { audio: windows, index, place }, request);
    }
    const order = survivors(advances);
    if (order.length === 0) break;
    const parents = order.flatMap((window) =>
      advances[window]!.parents.map((parent) => window * rows + parent),
    );
    const nextTokens = order.flatMap((window) => advances[window]!.tokens.map((token) => [token]));
    const isSame = parents.length === active.length * rows && parents.every((parent, row) => parent === row);
    const state = isSame ? output.state : backend.selectRows(output.state, parents);
    if (order.length < active.length) windows = backend.selectWindows(windows, order);
    active = order.map((window) => active[window]!);
    rows = rowsPerWindow;
    selected = { count: 1, place: 0 };
    output = await backend.decode({ ...step, audio: windows, state, tokens: nextTokens });
  }
  output.state.release();
  windows.release();
  return searches.map((search, place) => {
    const best = search.best();
    return {
      tokens: best.tokens,
      avgLogprob: meanLogprob(best),
      noSpeechProb: noSpeech[place]!,
      isCut: best.tokens.length >= request.maxTokens[place]!,
      tokenTimes: tokenTimes[place],
    };
  });
}

/** Looked for while the window that has ended is still in the batch: its audio goes when it leaves. */
async function timesOf(
  search: Search,
  { audio, index, place }: { audio: EncodedWindows; index: number; place: number },
  request: DecodeRequest,
): Promise<DecodedWindow['tokenTimes']> {
  const seconds = request.alignSeconds?.[place];
  if (seconds === undefined) return undefined;
  return alignText(audio, { index, seconds, tokens: search.best().tokens }, request);
}

/** The windows that go on. A gap is filled by the last one, so that leaving the batch moves one window and not all behind it. */
function survivors(advances: readonly unknown[]): number[] {
  const running = advances.flatMap((advance, window) => (advance === undefined ? [] : [window]));
  const count = running.length;
  const movable = running.filter((window) => window >= count);
  return Array.from({ length: count }, (_, place) =>
    advances[place] === undefined ? movable.pop()! : place,
  );
}

/** Probability of `<|nospeech|>` right after the start of the transcript, over the whole vocabulary. */
function noSpeechProbability(output: DecodeOutput, index: number, tokens: WhisperTokens): number {
  return tokenProbabilities(output, index, [tokens.noSpeech])[0]!;
}

/** Softmax over the whole vocabulary at one place, for some tokens. Needs the raw logits. */
export function tokenProbabilities(output: DecodeOutput, index: number, ids: readonly number[]): number[] {
  const vocabulary = output.logits!.length / output.endLogit.length;
  const logits = output.logits!.subarray(index * vocabulary, (index + 1) * vocabulary);
  let maximum = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > maximum) maximum = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - maximum);
  return ids.map((id) => Math.exp(logits[id]! - maximum) / sum);
}
