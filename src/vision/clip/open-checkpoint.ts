/** A CLIP or SigLIP checkpoint on disk, in Hugging Face's or OpenCLIP's layout. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../base/errors.ts';
import { clipPreprocessing, type Preprocessing, readPreprocessing } from '../image/preprocessing.ts';
import type { ClipCheckpoint } from './checkpoint.ts';
import { openHuggingFaceClip } from './huggingface-checkpoint.ts';
import { openOpenClip } from './openclip-checkpoint.ts';

const OPENCLIP_CONFIG = 'open_clip_config.json';

/** Opens the checkpoint in `directory`. Throws `unsupported_model` for what cannot be read or run. */
export function openClipCheckpoint(directory: string): ClipCheckpoint {
  if (isOpenClip(directory)) return openOpenClip(directory, readJson(join(directory, OPENCLIP_CONFIG)));
  return openHuggingFaceClip(directory, readJson(join(directory, 'config.json')));
}

/** A repository may hold both layouts; what is installed holds the weights of one. */
function isOpenClip(directory: string): boolean {
  return existsSync(join(directory, 'open_clip_model.safetensors'));
}

/** What the model's own file says; without one, what CLIP's pictures have always had. Throws `unsupported_model`. */
export function preprocessingOf(directory: string, imageSize: number): Preprocessing {
  const path = join(directory, isOpenClip(directory) ? OPENCLIP_CONFIG : 'preprocessor_config.json');
  return existsSync(path) ? readPreprocessing(readJson(path)) : clipPreprocessing(imageSize);
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new AppError('unsupported_model', `${path} cannot be read, or is not JSON.`, { cause });
  }
}
