import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../../base/errors.ts';
import { HAILO_FILES } from '../../../store/hailo-files.ts';

export interface HailoClipFiles {
  readonly image: string;
  /** Undefined where texts can be read on the CPU only. */
  readonly text: string | undefined;
}

/** The compiled encoders of a model; the maker's names are kept. Throws `unsupported_model` when there is none for images. */
export function filesIn(directory: string): HailoClipFiles {
  const networks = readdirSync(directory)
    .filter((name) => HAILO_FILES.network.test(name))
    .sort();
  const image = networks.find((name) => !HAILO_FILES.text.test(name));
  const text = networks.find((name) => HAILO_FILES.text.test(name));
  if (image === undefined)
    throw new AppError(
      'unsupported_model',
      `${directory} has no compiled image encoder (*.hef). Pull or import the model again.`,
    );
  return { image: join(directory, image), text: text && join(directory, text) };
}
