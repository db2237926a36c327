import { AppError } from '../base/errors.ts';
import { LANGUAGES, languageCode } from './languages.ts';

/** The code of a language that a request names; undefined when it names none. Throws `invalid_request` for an unknown one. */
export function requireLanguage(given: string | undefined): string | undefined {
  if (given === undefined) return undefined;
  const code = languageCode(given);
  if (code !== undefined) return code;
  throw new AppError(
    'invalid_request',
    `Unknown language ${JSON.stringify(given)}. Send an ISO 639-1 code such as en, or leave it out to have it detected. Known: ${Object.keys(LANGUAGES).join(', ')}.`,
    { param: 'language' },
  );
}
