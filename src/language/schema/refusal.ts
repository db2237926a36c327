/** How a schema is refused: by the place in it, and the reason. */
import { AppError } from '../../base/errors.ts';

/** A keyword or a use of one that the compiler has no grammar for. `pointer` is a JSON pointer into the schema. */
export function unsupported(pointer: string, why: string): AppError {
  return new AppError('unsupported_schema', `The schema cannot be enforced at ${shown(pointer)}: ${why}.`);
}

/** A schema that is none, or that no value satisfies. */
export function invalid(pointer: string, why: string): AppError {
  return new AppError('invalid_schema', `The schema is invalid at ${shown(pointer)}: ${why}.`);
}

/** A limit was reached where the place in the schema is not known; who knows it turns this into a refusal. */
export class LimitReached extends Error {}

const SHOWN_CHARACTERS = 200;

function shown(pointer: string): string {
  const text = pointer === '' ? '/' : pointer;
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}...`;
}
