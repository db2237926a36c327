/** What a schema may cost. Beyond these it is refused with the figure. */
export interface SchemaLimits {
  /** Schemas within schemas. */
  readonly depth: number;
  /** Schemas in the document. */
  readonly nodes: number;
  /** Values of one `enum`. */
  readonly enumValues: number;
  /** Characters of a property's name. */
  readonly nameCharacters: number;
  /** What minItems, minProperties and minContains may ask for; a longer maximum is enforced as this one. */
  readonly count: number;
  /** What minLength may ask for, in code points; a longer maxLength is enforced as this one. */
  readonly length: number;
  /** Distinct values of the items of an array whose items are unique: each subset of them is a place in the grammar. */
  readonly uniqueValues: number;
  /** Alternatives that one array or object may have after `allOf`, `oneOf`, `not` and the like are worked out. */
  readonly alternatives: number;
  /** Rules of the grammar. */
  readonly rules: number;
  /** Length of the grammar's text. */
  readonly grammarBytes: number;
}

export const DEFAULT_LIMITS: SchemaLimits = {
  depth: 256,
  nodes: 20_000,
  enumValues: 20_000,
  nameCharacters: 1000,
  count: 1000,
  length: 10_000,
  uniqueValues: 8,
  alternatives: 500,
  rules: 100_000,
  grammarBytes: 4 * 1024 * 1024,
};
