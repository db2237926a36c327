/** A CLIP or SigLIP checkpoint on disk, in Hugging Face's or OpenCLIP's layout. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../base/errors.ts';
import type { ClipCheckpoint } from './checkpoint.ts';
import { openHuggingFaceClip } from './huggingface-checkpoint.ts';
import { openOpenClip } from './openclip-checkpoint.ts';

export const OPENCLIP_CONFIG = 'open_clip_config.json';

/** Opens the checkpoint in `directory`. Throws `unsupported_model` for what cannot be read or run. */
export function openClipCheckpoint(directory: string): ClipCheckpoint {
  if (isOpenClip(directory)) return openOpenClip(directory, readJson(join(directory, OPENCLIP_CONFIG)));
  return openHuggingFaceClip(directory, readJson(join(directory, 'config.json')));
}

/** A repository may hold both layouts; what is installed holds the weights of one. */
export function isOpenClip(directory: string): boolean {
  return existsSync(join(directory, 'open_clip_model.safetensors'));
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new AppError('unsupported_model', `${path} cannot be read, or is not JSON.`, { cause });
  }
}
