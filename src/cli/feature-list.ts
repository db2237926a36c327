import { AppError } from '../base/errors.ts';
import { FEATURES, type Feature } from '../intelligence/task-input.ts';

/** Of an option: `raw_transcript,summary`. Throws `usage`. */
export function featureList(text: string): readonly Feature[] {
  const features = text.split(',').map((name) => {
    const feature = FEATURES.find((known) => known === name.trim());
    if (feature !== undefined) return feature;
    throw new AppError('usage', `There is no feature "${name}"; expected some of ${FEATURES.join(', ')}.`);
  });
  return [...new Set(features)];
}
