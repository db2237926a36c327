/** Which heads of the cross attention follow the speech, as the model's own files say. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../base/errors.ts';
import type { WhisperSizes } from './checkpoint.ts';
import type { AlignmentHead } from './decoder-graph.ts';

/**
 * The list `alignment_heads` of config.json (CTranslate2) or generation_config.json (Hugging Face); without one, every head of the
 * last half of the layers (openai/whisper model.py). Throws `unsupported_model` for a head that the model has not.
 */
export function readAlignmentHeads(directory: string, sizes: WhisperSizes): AlignmentHead[] {
  for (const name of ['generation_config.json', 'config.json']) {
    const path = join(directory, name);
    if (!existsSync(path)) continue;
    const { alignment_heads: listed } = JSON.parse(readFileSync(path, 'utf8')) as {
      alignment_heads?: unknown;
    };
    if (Array.isArray(listed) && listed.length > 0) return listed.map((head) => checkHead(head, path, sizes));
  }
  const layers = Array.from({ length: sizes.decoderLayers }, (_, layer) => layer);
  const heads = Array.from({ length: sizes.heads }, (_, head) => head);
  return layers
    .slice(Math.floor(sizes.decoderLayers / 2))
    .flatMap((layer) => heads.map((head) => [layer, head] as const));
}

function checkHead(given: unknown, path: string, { decoderLayers, heads }: WhisperSizes): AlignmentHead {
  const [layer, head] = Array.isArray(given) ? (given as unknown[]) : [];
  const isBelow = (value: unknown, end: number): value is number =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) < end;
  if (isBelow(layer, decoderLayers) && isBelow(head, heads)) return [layer, head];
  throw new AppError(
    'unsupported_model',
    `${path}: alignment_heads names ${JSON.stringify(given)}; expected [layer, head] of ${decoderLayers} layers with ${heads} heads. Pull or import the model again.`,
  );
}
