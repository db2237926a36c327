/** A model in the layout of transformers.js: graphs that somebody has exported, and the files of the checkpoint that they were made of. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../../base/errors.ts';
import type { ComputeType } from '../../graphs/layers.ts';
import type { ConvertedClip } from './description.ts';
import { preprocessingOf } from './open-checkpoint.ts';

const EXPORTED_IMAGE = 'vision_model';
const EXPORTED_TEXT = 'text_model';
/** The graphs do not hold it; every CLIP that was trained to the end has it. */
const USUAL_LOGIT_SCALE = 100;

const configSchema = z.object({
  model_type: z.string(),
  projection_dim: z.int().default(512),
  vision_config: z.object({ image_size: z.int().default(224) }).prefault({}),
  text_config: z.object({ max_position_embeddings: z.int().default(77) }).prefault({}),
});

export function isExported(directory: string): boolean {
  return graphsIn(directory, 'int8') !== undefined;
}

/** Throws `unsupported_model`. */
export function describeExported(directory: string, compute: ComputeType): ConvertedClip {
  const path = join(directory, 'config.json');
  const parsed = configSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
  if (!parsed.success || parsed.data.model_type !== 'clip')
    throw new AppError(
      'unsupported_model',
      `${path} is not that of a CLIP model. Exported SigLIP models do not hold their scale and bias; use model.safetensors of the original.`,
    );
  const { projection_dim: dimension, vision_config: vision, text_config: text } = parsed.data;
  return {
    dimension,
    logitScale: USUAL_LOGIT_SCALE,
    contextLength: text.max_position_embeddings,
    isPadded: false,
    preprocessing: preprocessingOf(directory, vision.image_size),
    exported: graphsIn(directory, compute)!,
  };
}

/** Quantised graphs where int8 is asked for and they are there; else whichever there are. */
function graphsIn(directory: string, compute: ComputeType): ConvertedClip['exported'] {
  const endings = compute === 'int8' ? ['_quantized', ''] : ['', '_quantized'];
  const ending = endings.find((tried) =>
    [EXPORTED_IMAGE, EXPORTED_TEXT].every((stem) => existsSync(join(directory, `${stem}${tried}.onnx`))),
  );
  if (ending === undefined) return undefined;
  return { imageGraph: `${EXPORTED_IMAGE}${ending}.onnx`, textGraph: `${EXPORTED_TEXT}${ending}.onnx` };
}
