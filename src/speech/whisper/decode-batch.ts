/** Decodes several windows of one length as one batch; a window that has ended leaves the batch. */
import type { DecodeOutput, EncodedWindows, WhisperBackend } from '../../backends/contract.ts';
import { createLogitRules } from './logit-rules.ts';
import { candidatesOf, createSearch, type Method, meanLogprob, type Search } from './search.ts';
import type { WhisperTokens } from './tokens.ts';

export interface DecodeRequest {
  readonly backend: WhisperBackend;
  readonly tokens: WhisperTokens;
  readonly method: Method;
  /** Of each window: previous text, start of transcript, language, task. All equally long, with the start at the same place. */
  readonly prompts: readonly (readonly number[])[];
  /** Longest text of each window, in tokens. */
  readonly maxTokens: readonly number[];
  /** Length of the encoded windows in mel frames; no timestamp lies outside. */
  readonly frames: number;
  /** A window that nobody waits for any more leaves the batch. */
  isCancelled(place: number): boolean;
}

export interface DecodedWindow {
  /** Text and timestamp tokens. */
  readonly tokens: readonly number[];
  readonly avgLogprob: number;
  readonly noSpeechProb: number;
  /** The text was cut by `maxTokens`. */
  readonly isCut: boolean;
}

export interface DecodedBatch {
  /** One for each window, in the order of the request. */
  readonly decoded: readonly DecodedWindow[];
  /** Which window of the request stands at each place of the encoded windows now. */
  readonly order: readonly number[];
}

/** Windows of a batch that still run: their place in the request and their search, in the order of the decoder's rows. */
interface Active {
  readonly place: number;
  readonly search: Search;
}

/** Changes the order of `audio`, which stays open. */
export async function decodeBatch(audio: EncodedWindows, request: DecodeRequest): Promise<DecodedBatch> {
  const { backend, tokens, method, prompts } = request;
  const inside = Math.min(tokens.timestamps, request.frames / 2 + 1);
  const rules = createLogitRules(tokens, backend.hasTimestamps ? inside : 0);
  const searches = request.maxTokens.map((maxTokens) =>
    createSearch(method, {
      rules,
      endOfText: tokens.endOfText,
      firstTimestamp: tokens.firstTimestamp,
      maxTokens,
    }),
  );
  const startIndex = prompts[0]!.lastIndexOf(tokens.startOfTranscript);
  const step = { candidates: candidatesOf(method), withLogits: method.kind === 'draw' };

  let output = await backend.decode({
    ...step,
    audio,
    state: undefined,
    tokens: prompts,
    beams: prompts.map(() => 1),
    select: [startIndex, prompts[0]!.length - 1],
    withLogits: true,
  });
  const noSpeech = searches.map((_, row) => noSpeechProbability(output, 2 * row, tokens));
  const all: Active[] = searches.map((search, place) => ({ place, search }));
  /** Those that run first, then those that have ended. */
  let places = all;
  /** Rows of each window that runs. */
  let beams = prompts.map(() => 1);
  let selected = { count: 2, place: 1 };

  for (;;) {
    const firstRows = beams.map((_, window) => beams.slice(0, window).reduce((sum, rows) => sum + rows, 0));
    const advances = places.slice(0, beams.length).map(({ place, search }, window) =>
      request.isCancelled(place)
        ? undefined
        : search.advance(
            Array.from({ length: beams[window]! }, (_, row) => ({
              output,
              index: (firstRows[window]! + row) * selected.count + selected.place,
            })),
          ),
    );
    const { order, count } = survivors(advances);
    if (count === 0) break;
    const survived = order.slice(0, count).map((window) => ({ window, advance: advances[window]! }));
    const parents = survived.flatMap(({ window, advance }) =>
      advance.parents.map((parent) => firstRows[window]! + parent),
    );
    const isSame = parents.length === output.state.rows && parents.every((parent, row) => parent === row);
    const state = isSame ? output.state : backend.selectRows(output.state, parents);
    if (count < beams.length) backend.orderWindows(audio, order);
    places = [...order.map((window) => places[window]!), ...places.slice(beams.length)];
    beams = survived.map(({ advance }) => advance.tokens.length);
    selected = { count: 1, place: 0 };
    output = await backend.decode({
      ...step,
      audio: backend.firstWindows(audio, count),
      state,
      beams,
      tokens: survived.flatMap(({ advance }) => advance.tokens.map((token) => [token])),
      select: [0],
    });
  }
  output.state.release();
  return {
    decoded: searches.map((search, place) => {
      const best = search.best();
      return {
        tokens: best.tokens,
        avgLogprob: meanLogprob(best),
        noSpeechProb: noSpeech[place]!,
        isCut: best.tokens.length >= request.maxTokens[place]!,
      };
    }),
    order: places.map(({ place }) => place),
  };
}

/**
 * The windows that go on (`count` of them), then those that have ended. A gap is filled by the last one that goes on, so that leaving
 * the batch moves one window and not all behind it.
 */
function survivors(advances: readonly unknown[]): { order: number[]; count: number } {
  const order = advances.map((_, window) => window);
  let count = advances.length;
  for (let place = 0; place < count; place += 1) {
    while (place < count && advances[order[place]!] === undefined) {
      count -= 1;
      [order[place], order[count]] = [order[count]!, order[place]!];
    }
  }
  return { order, count };
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
