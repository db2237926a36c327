/**
 * Which token may come next, and how likely it is: Whisper's timestamp rules (openai/whisper decoding.py,
 * `ApplyTimestampRules`) over the decoder's small outputs. Suppressed tokens are left out by the graph already.
 *
 * A text is a run of segments `<|start|> words <|end|>`; timestamps never decrease, and come in pairs except before the end.
 */
import type { DecodeOutput } from '../../backends/contract.ts';
import type { WhisperTokens } from './tokens.ts';

export interface Candidate {
  readonly token: number;
  /** Natural logarithm of its probability among the tokens that the rules allow. */
  readonly logprob: number;
}

/** One row of a decoder output at one of the selected places. */
export interface Logits {
  readonly output: DecodeOutput;
  /** row × selected + place */
  readonly index: number;
}

export interface LogitRules {
  /** The `count` likeliest tokens after `sampled`, best first. */
  best(logits: Logits, sampled: readonly number[], count: number): Candidate[];
  /** One token drawn at `temperature`; needs the raw logits of the output. */
  draw(
    logits: Logits,
    sampled: readonly number[],
    options: { temperature: number; random: () => number },
  ): Candidate;
}

/** A first timestamp may be at most this late, in steps of 20 ms (openai/whisper: max_initial_timestamp 1.0 s). */
const LATEST_FIRST_TIMESTAMP = 50;

/** What the rules allow: which ordinary tokens, and timestamps in [from, to). */
interface Allowed {
  readonly text: 'all' | 'end' | 'none';
  readonly from: number;
  readonly to: number;
}

/** `timestamps` is the number of timestamp tokens that lie inside the window; 0 for texts without times. */
export function createLogitRules(tokens: WhisperTokens, timestamps: number): LogitRules {
  const { firstTimestamp, endOfText } = tokens;
  const suppressed = new Set(tokens.suppressed);

  function allowed(sampled: readonly number[]): Allowed {
    if (timestamps === 0) return { text: 'all', from: 0, to: 0 };
    const last = sampled.at(-1);
    if (last === undefined)
      return { text: 'none', from: 0, to: Math.min(timestamps, LATEST_FIRST_TIMESTAMP + 1) };
    const latest = sampled.findLast((token) => token >= firstTimestamp);
    const lastIsTimestamp = last >= firstTimestamp;
    const previous = sampled.at(-2);
    const previousIsTimestamp = previous === undefined || previous >= firstTimestamp;
    if (lastIsTimestamp && previousIsTimestamp) return { text: 'all', from: timestamps, to: timestamps };
    const after = latest === undefined ? 0 : latest - firstTimestamp;
    if (lastIsTimestamp) return { text: 'end', from: after, to: timestamps };
    return { text: 'all', from: latest === undefined ? 0 : after + 1, to: timestamps };
  }

  /** The log of the summed exponentials of the allowed tokens, after timestamps have outvoted any text they outweigh. */
  function weigh(logits: Logits, sampled: readonly number[]): { rules: Allowed; logSum: number } {
    const { output, index } = logits;
    let rules = allowed(sampled);
    const stampSum = logSumExp(stampsOf(logits, output.timestamps), rules.from, rules.to);
    const end = output.endLogit[index]!;
    const count = output.textValues.length / output.endLogit.length;
    const textBest = rules.text === 'all' ? output.textValues[index * count]! : end;
    if (rules.text !== 'none' && stampSum > textBest) rules = { ...rules, text: 'none' };
    const textSum = { all: output.textLogSum[index]!, end, none: Number.NEGATIVE_INFINITY }[rules.text];
    return { rules, logSum: logAddExp(textSum, stampSum) };
  }

  function stampsOf({ index }: Logits, all: Float32Array): Float32Array {
    return all.subarray(index * tokens.timestamps, (index + 1) * tokens.timestamps);
  }

  return {
    best(logits, sampled, count) {
      const { output, index } = logits;
      const { rules, logSum } = weigh(logits, sampled);
      const found: Candidate[] = [];
      if (rules.text === 'end') found.push({ token: endOfText, logprob: output.endLogit[index]! - logSum });
      if (rules.text === 'all') {
        const given = output.textValues.length / output.endLogit.length;
        for (let place = index * given; place < index * given + Math.min(given, count); place += 1) {
          found.push({ token: Number(output.textIds[place]!), logprob: output.textValues[place]! - logSum });
        }
      }
      const stamps = stampsOf(logits, output.timestamps);
      for (const place of largest(stamps, rules, count)) {
        found.push({ token: firstTimestamp + place, logprob: stamps[place]! - logSum });
      }
      return found.sort((a, b) => b.logprob - a.logprob).slice(0, count);
    },

    draw(logits, sampled, { temperature, random }) {
      const { rules, logSum } = weigh(logits, sampled);
      const raw = logits.output.logits!;
      const start = (raw.length / logits.output.endLogit.length) * logits.index;
      // The Gumbel trick: the largest of logit / T + noise is a draw from softmax(logit / T).
      let token = endOfText;
      let highest = Number.NEGATIVE_INFINITY;
      const consider = (id: number) => {
        const score = raw[start + id]! / temperature - Math.log(-Math.log(random()));
        if (score > highest) {
          highest = score;
          token = id;
        }
      };
      if (rules.text === 'end') consider(endOfText);
      if (rules.text === 'all')
        for (let id = 0; id < firstTimestamp; id += 1) if (!suppressed.has(id)) consider(id);
      for (let place = rules.from; place < rules.to; place += 1) consider(firstTimestamp + place);
      return { token, logprob: raw[start + token]! - logSum };
    },
  };
}

/** Indices of the `count` largest values in [from, to), largest first. */
function largest(values: Float32Array, { from, to }: Allowed, count: number): number[] {
  const best: number[] = [];
  for (let place = from; place < to; place += 1) {
    if (best.length === count && values[place]! <= values[best[count - 1]!]!) continue;
    let at = best.length;
    while (at > 0 && values[best[at - 1]!]! < values[place]!) at -= 1;
    best.splice(at, 0, place);
    if (best.length > count) best.pop();
  }
  return best;
}

function logSumExp(values: Float32Array, from: number, to: number): number {
  let maximum = Number.NEGATIVE_INFINITY;
  for (let place = from; place < to; place += 1) if (values[place]! > maximum) maximum = values[place]!;
  if (maximum === Number.NEGATIVE_INFINITY) return maximum;
  let sum = 0;
  for (let place = from; place < to; place += 1) sum += Math.exp(values[place]! - maximum);
  return maximum + Math.log(sum);
}

function logAddExp(a: number, b: number): number {
  const maximum = Math.max(a, b);
  if (maximum === Number.NEGATIVE_INFINITY) return maximum;
  return maximum + Math.log(Math.exp(a - maximum) + Math.exp(b - maximum));
}
