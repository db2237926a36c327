/** From raw logits to what the search reads: on ONNX Runtime this is a part of the graph. */
import type { WhisperTokens } from '../tokens.ts';

export interface Scorer {
  /** The best `count` text tokens (suppressed ones left out), best first, into `values` and `ids`; gives the log of the sum of all. */
  text(logits: Float32Array, into: { readonly values: Float32Array; readonly ids: BigInt64Array }): number;
}

export function createScorer({ firstTimestamp, suppressed }: WhisperTokens): Scorer {
  const isSaid = new Uint8Array(firstTimestamp).fill(1);
  for (const id of suppressed) if (id < firstTimestamp) isSaid[id] = 0;
  return {
    text(logits, { values, ids }) {
      values.fill(Number.NEGATIVE_INFINITY);
      const last = values.length - 1;
      for (let id = 0; id < firstTimestamp; id += 1) {
        const logit = logits[id]!;
        if (isSaid[id] === 0 || logit <= values[last]!) continue;
        let at = last;
        for (; at > 0 && values[at - 1]! < logit; at -= 1) {
          values[at] = values[at - 1]!;
          ids[at] = ids[at - 1]!;
        }
        values[at] = logit;
        ids[at] = BigInt(id);
      }
      const [maximum] = values;
      let sum = 0;
      for (let id = 0; id < firstTimestamp; id += 1)
        if (isSaid[id] === 1) sum += Math.exp(logits[id]! - maximum!);
      return maximum! + Math.log(sum);
    },
  };
}

/** Tokens that come again and again without being a repetition: the comma and the full stop, in all of Whisper's vocabularies. */
const PUNCTUATION: ReadonlySet<number> = new Set([11, 13]);
/** How far back a repetition is looked for, in tokens. */
const REMEMBERED = 8;

/** Makes text tokens that were said lately less likely, in place. A shortened encoder makes Whisper repeat phrases. */
export function penaliseRepetition(
  logits: Float32Array,
  said: readonly number[],
  options: { readonly penalty: number; readonly endOfText: number },
): void {
  const { penalty, endOfText } = options;
  const words = said.filter((token) => token < endOfText).slice(-REMEMBERED);
  for (const token of new Set(words)) {
    if (PUNCTUATION.has(token)) continue;
    const logit = logits[token]!;
    logits[token] = logit > 0 ? logit / penalty : logit * penalty;
  }
}
