/** What a runtime must do for language models: tokens in, text out, several requests at once. */

/** How one token is drawn. */
export interface Sampling {
  /** 0: always the likeliest. */
  readonly temperature: number;
  readonly topP: number;
  /** 0: all. */
  readonly topK: number;
  readonly minP: number;
  /** 1: none. */
  readonly repeatPenalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
}

export interface TextRequest {
  /** The prompt; with `maxTokens` no more than the context holds. */
  readonly tokens: readonly number[];
  readonly maxTokens: number;
  /** GBNF, root rule `root`: what the text must be. */
  readonly grammar: string | undefined;
  readonly sampling: Sampling;
  /** 0 to 2³² - 1. */
  readonly seed: number;
}

export interface TextContext {
  readonly signal: AbortSignal;
  /** Pieces that join to the text; a character is never cut. True ends the text here. */
  onText(piece: string): boolean;
}

export interface TextResult {
  /** `end`: by the model or by `onText`; `length`: by `maxTokens`. */
  readonly reason: 'end' | 'length';
  readonly completionTokens: number;
  /** Of the prompt, those that were still in memory. */
  readonly cachedTokens: number;
}

export interface TextModel {
  /** Of one request: prompt and answer together. */
  readonly contextTokens: number;
  /** Special tokens are recognised by their text. */
  tokenize(text: string): readonly number[];
  /** The text of the token that begins every text; empty where there is none. */
  readonly beginningText: string;
  readonly endText: string;
  /** Requests run abreast, as many as there are sequences; others wait. Throws `model_failed`, `invalid_request` for a grammar that does not parse, and the signal's error. */
  generate(request: TextRequest, context: TextContext): Promise<TextResult>;
  close(): Promise<void>;
}
