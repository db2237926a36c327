/** Which files of a compiled Whisper model are what; the maker's names are kept. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../../base/errors.ts';
import { HAILO_FILES } from '../../../store/hailo-files.ts';

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
    encoder: need(HAILO_FILES.encoder, 'compiled encoder (*encoder*.hef)'),
    decoder: need(HAILO_FILES.decoder, 'compiled decoder (*decoder*.hef)'),
    embedding: need(HAILO_FILES.embedding, 'token embeddings (token_embedding*.npy)'),
    positions: find(HAILO_FILES.positions),
  };
}
