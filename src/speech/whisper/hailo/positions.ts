/**
 * Whether the host must add the positions of tokens: decoders were compiled with and without them, and nothing in a HEF tells. What tells is
 * the decoder itself, when it reads a sentence: where positions are missing, or added twice, it expects none of the words.
 */
import { AppError } from '../../../base/errors.ts';
import type { Tokenizer } from '../tokenizer.ts';
import type { WhisperTokens } from '../tokens.ts';
import type { SequenceEmbedding } from './embedding.ts';
import type { WhisperNetworks } from './networks.ts';

export interface PositionTrial {
  readonly networks: WhisperNetworks;
  readonly tokens: WhisperTokens;
  readonly tokenizer: Tokenizer;
  readonly withPositions: SequenceEmbedding;
  readonly withoutPositions: SequenceEmbedding;
}

/** Common words in a common order, short enough for the shortest sequence (24 tokens). */
const SENTENCE = ' I do not know what you are going to do with all of this.';
/** Log probability of a token by which one way must be better than the other. */
const CLEAR = 0.5;

/** The embedding with which the decoder knows what it reads. Throws `unsupported_model` when neither way is clearly better. */
export async function chooseEmbedding(trial: PositionTrial): Promise<SequenceEmbedding> {
  const { networks, withPositions, withoutPositions } = trial;
  const silence = await networks.encode(new Float32Array(networks.frames * networks.melBins));
  const added = await likelihood(trial, { embedding: withPositions, silence });
  const left = await likelihood(trial, { embedding: withoutPositions, silence });
  if (added > left + CLEAR) return withPositions;
  if (left > added + CLEAR) return withoutPositions;
  throw new AppError(
    'unsupported_model',
    `It cannot be told whether this decoder wants the positions of its tokens from the host (a sentence is as unlikely with them, ${added.toFixed(2)}, as without, ${left.toFixed(2)}). ` +
      'Say it in hailo.json beside the model: {"position_add": true} or {"position_add": false}, and import it again.',
  );
}

/** Mean log probability of the sentence's tokens, each behind those before it. */
async function likelihood(
  { networks, tokens, tokenizer }: PositionTrial,
  { embedding, silence }: { readonly embedding: SequenceEmbedding; readonly silence: Float32Array },
): Promise<number> {
  const prompt = [tokens.startOfTranscript];
  const language = tokens.languages.get('en');
  if (language !== undefined && tokens.transcribe !== undefined) prompt.push(language, tokens.transcribe);
  prompt.push(tokens.noTimestamps);
  const words = tokenizer.encode(SENTENCE).slice(0, networks.sequence - prompt.length);
  const { embedded } = embedding.extend(undefined, [...prompt, ...words]);
  const slices = await networks.decode(silence, embedded);
  const logits = new Float32Array(networks.vocabulary);
  // The first word follows the audio, which says nothing.
  let sum = 0;
  for (let index = 1; index < words.length; index += 1) {
    slices.copyRow(prompt.length + index - 1, logits);
    sum += logProbability(logits, words[index]!);
  }
  return sum / (words.length - 1);
}

function logProbability(logits: Float32Array, token: number): number {
  const maximum = logits.reduce((highest, logit) => Math.max(highest, logit), Number.NEGATIVE_INFINITY);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - maximum), 0);
  return logits[token]! - maximum - Math.log(sum);
}
