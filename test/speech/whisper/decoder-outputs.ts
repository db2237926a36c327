/** A decoder's outputs from full logits, as the graph computes them: what rule and search tests feed. */
import type { DecodeOutput } from '../../../src/backends/contract.ts';
import type { WhisperTokens } from '../../../src/speech/whisper/tokens.ts';

/** 10 words (0..9), the end (10), then 8 timestamps (11..18); nothing is suppressed. */
export const TOKENS: WhisperTokens = {
  endOfText: 10,
  startOfTranscript: 10,
  startOfPrevious: 10,
  noSpeech: 10,
  transcribe: undefined,
  translate: undefined,
  noTimestamps: 10,
  firstTimestamp: 11,
  timestamps: 8,
  languages: new Map(),
  suppressed: [],
};

export const VOCABULARY = 19;

export function outputOf(rows: readonly (readonly number[])[], candidates: number): DecodeOutput {
  const { endOfText, firstTimestamp } = TOKENS;
  const best = rows.map((row) =>
    row
      .slice(0, firstTimestamp)
      .map((value, id) => ({ value, id }))
      .sort((a, b) => b.value - a.value)
      .slice(0, candidates),
  );
  const logSum = (values: readonly number[]) =>
    Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0));
  return {
    state: { rows: rows.length, length: 0, release() {} },
    textValues: Float32Array.from(best.flat(), ({ value }) => value),
    textIds: BigInt64Array.from(best.flat(), ({ id }) => BigInt(id)),
    textLogSum: Float32Array.from(rows, (row) => logSum(row.slice(0, firstTimestamp))),
    endLogit: Float32Array.from(rows, (row) => row[endOfText]!),
    timestamps: Float32Array.from(rows.flatMap((row) => row.slice(firstTimestamp))),
    logits: Float32Array.from(rows.flat()),
  };
}

/** Logits with one token far above the rest, which stand at -4. */
export function favour(...tokens: readonly number[]): number[] {
  const logits = new Array<number>(VOCABULARY).fill(-4);
  tokens.forEach((token, place) => {
    logits[token] = 8 - 2 * place;
  });
  return logits;
}
