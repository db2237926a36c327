/** What language models are asked and what they answer: the same values for HTTP, the command line and tasks. */
import type { Sampling } from '../backends/text-model.ts';

/** What JSON.parse gives. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** JSON Schema, 2020-12. */
export type JsonSchema = boolean | JsonObject;

export type Role = 'system' | 'user' | 'assistant' | 'tool';

export interface Message {
  readonly role: Role;
  /** Empty where an assistant only called tools. */
  readonly content: string;
  /** Of an assistant. */
  readonly toolCalls?: readonly ToolCall[] | undefined;
  /** Of a tool: the call that this answers. */
  readonly toolCallId?: string | undefined;
}

/** Something that the caller can do for the model. Percept never does it. */
export interface Tool {
  readonly name: string;
  readonly description?: string | undefined;
  /** Of its arguments: an object. */
  readonly parameters: JsonSchema;
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** Valid by the tool's schema. */
  readonly arguments: JsonObject;
}

/** `auto`: the model decides; `required`: at least one of them; a name: that one. */
export type ToolChoice = 'none' | 'auto' | 'required' | { readonly name: string };

/** What the text must be: `json` is an object of any kind, a schema is obeyed to the letter. */
export type OutputForm =
  | { readonly kind: 'text' }
  | { readonly kind: 'json' }
  | { readonly kind: 'schema'; readonly schema: JsonSchema };

/** How tokens are drawn. What a request leaves out falls through to the environment, the file, the model's own and ours. */
export interface GenerationSettings extends Sampling {
  /** Most tokens of the answer. */
  readonly maxTokens: number;
}

export interface GenerateRequest {
  /** A name of the catalogue, an installed model, or undefined for the default. */
  readonly model: string | undefined;
  readonly messages: readonly Message[];
  readonly tools?: readonly Tool[] | undefined;
  readonly toolChoice?: ToolChoice | undefined;
  /** Whether several tools may be called at once; true where not said. */
  readonly parallelToolCalls?: boolean | undefined;
  readonly output?: OutputForm | undefined;
  readonly settings?: Partial<{ readonly [K in keyof GenerationSettings]: number | undefined }> | undefined;
  /** The answer ends before the first of these; at most 16. */
  readonly stop?: readonly string[] | undefined;
  /** Equal seeds and equal requests give equal answers; drawn where not given. */
  readonly seed?: number | undefined;
  /** Where the model can think before it answers; false where not said. */
  readonly thinking?: boolean | undefined;
  /** How long the model stays loaded afterwards; -1 for ever. */
  readonly keepAliveSeconds?: number | undefined;
}

export type FinishReason = 'stop' | 'length' | 'tool_calls';

export interface Usage {
  readonly promptTokens: number;
  /** Of the prompt, those that an earlier request left in memory. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** What makes an answer come out again: equal versions, request and seed give the same text. */
export interface GenerationVersions {
  readonly model: string;
  /** `embedded`, or `external` with the server's own name for the model. */
  readonly engine: 'embedded' | 'external';
  /** SHA-256 of the weights' file hashes; undefined where the engine does not tell. */
  readonly checkpointHash: string | undefined;
  /** Of the weights, such as `Q4_K_M`; undefined where the engine does not tell. */
  readonly quantization: string | undefined;
  /** Of the chat template, SHA-256; undefined where the engine does not tell. */
  readonly templateHash: string | undefined;
  /** Those left out were the server's own. */
  readonly settings: Partial<GenerationSettings>;
  readonly seed: number;
}

export interface Generation {
  readonly model: string;
  /** The text; empty where tools are called instead. */
  readonly text: string;
  /** What the text holds as JSON, valid by the schema; undefined for plain text, and where the text was cut. */
  readonly value: Json | undefined;
  readonly toolCalls: readonly ToolCall[];
  readonly finishReason: FinishReason;
  /** Undefined where an external server does not count. */
  readonly usage: Usage | undefined;
  readonly timings: GenerationTimings;
  readonly versions: GenerationVersions;
}

/** In seconds. */
export interface GenerationTimings {
  /** From the request to the first token, the wait for a turn and for the model's loading among it. */
  readonly untilFirstToken: number;
  /** From the first token to the last. */
  readonly generating: number;
  readonly total: number;
}

/** As they come: pieces of the text, which join to it, and whole calls. */
export type GenerateEvent =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'toolCall'; readonly call: ToolCall };
