/** Which files of a compiled Whisper model are what; the maker's names are kept. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../../base/errors.ts';

export interface HailoWhisperFiles {
  readonly encoder: string;
  readonly decoder: string;
  /** [vocabulary × width] */
  readonly embedding: string;
  /** [sequence × width]; undefined where the decoder adds them itself. */
  readonly positions: string | undefined;
}

/** Throws `unsupported_model` when one is missing. */
export function filesIn(directory: string): HailoWhisperFiles {
  const names = readdirSync(directory).sort();
  const find = (pattern: RegExp) => {
    const name = names.find((candidate) => pattern.test(candidate));
    return name === undefined ? undefined : join(directory, name);
  };
  const need = (pattern: RegExp, what: string) => {
    const path = find(pattern);
    if (path !== undefined) return path;
    throw new AppError('unsupported_model', `${directory} has no ${what}. Pull or import the model again.`);
  };
  return {
    encoder: need(/encoder.*\.hef$/i, 'compiled encoder (*encoder*.hef)'),
    decoder: need(/decoder.*\.hef$/i, 'compiled decoder (*decoder*.hef)'),
    embedding: need(/^token_embedding.*\.npy$/i, 'token embeddings (token_embedding*.npy)'),
    positions: find(/^(onnx_add_input|position).*\.npy$/i),
  };
}
