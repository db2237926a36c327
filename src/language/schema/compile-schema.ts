/**
 * JSON Schema 2020-12 to GBNF, so that a model can write nothing but valid JSON. Every keyword is enforced, or the schema is refused by
 * the keyword's name and place: none is ignored but those that only annotate. (https://json-schema.org/draft/2020-12, llama.cpp's
 * grammars/README.md.)
 *
 * A schema is read into a set of values (`meaning/`, `values/`), in which strings and numbers are automata (`text/`); the set is
 * written as rules (`grammar/`).
 */
import { writeGrammar } from './grammar/write-grammar.ts';
import { DEFAULT_LIMITS, type SchemaLimits } from './limits.ts';
import { readMeaning } from './meaning/evaluate.ts';

export interface CompileOptions {
  /**
   * Whether objects may have members that the schema does not name, as the specification has it. If not, an object with `properties`
   * and without a word on all others has no others: the text is still valid, and small models invent nothing.
   */
  readonly openObjects?: boolean;
  /** `assert` (the default) enforces `format`; for the specification it is an annotation. */
  readonly formats?: 'assert' | 'annotation';
  readonly limits?: Partial<SchemaLimits>;
  /** Name of the first rule, `root` where not said; other names begin with any other, so that grammars can be joined. */
  readonly root?: string;
}

export interface CompiledSchema {
  /** Its first rule derives the valid texts: members in the order of the schema, at most one space after a comma or colon. */
  readonly gbnf: string;
}

/** Throws `AppError` `unsupported_schema` or `invalid_schema`. Takes time and memory as the schema will: see `schema-compiler.ts`. */
export function compileSchema(schema: unknown, options: CompileOptions = {}): CompiledSchema {
  const { openObjects = false, formats = 'assert', root = 'root' } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const meaning = readMeaning(schema, { limits, formats });
  return { gbnf: writeGrammar(meaning, { limits, openObjects, root }) };
}
