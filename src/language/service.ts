/** Language models for everyone above: the HTTP routes, the CLI and, later, tasks. Made by `app.ts` from the engine and the store. */
import type { Admission } from '../engine/admission.ts';
import type { GenerateEvent, GenerateRequest, Generation, JsonSchema } from './generation.ts';

export interface GenerateContext {
  readonly signal: AbortSignal;
  readonly onEvent?: ((event: GenerateEvent) => void) | undefined;
}

/** A model that can be asked for. */
export interface LanguageModel {
  readonly name: string;
  readonly description: string;
  /** `embedded` or `external`. */
  readonly engine: string;
  /** Such as `chat`, `structured_output`, `tools`. */
  readonly capabilities: readonly string[];
  readonly memoryBytes: number;
  readonly ownedBy: string;
  /** When its weights were installed; undefined when they are not, or are another server's. */
  readonly installedAt: Date | undefined;
}

/** The part of a request that is counted. */
export type MeasureRequest = Pick<GenerateRequest, 'model' | 'messages' | 'keepAliveSeconds'>;

/** What a request would take of a model's context, told without writing a token. */
export interface PromptMeasure {
  /** Of the messages in the model's chat template; a schema takes none. */
  readonly promptTokens: number;
  /** Of prompt and answer together. */
  readonly contextTokens: number;
  /** The model runs elsewhere: tokens are guessed, rather too many, and the context is the configured one (`language.context_tokens`). */
  readonly isEstimate: boolean;
}

export interface LanguageService {
  /** Throws `queue_full` with the seconds to wait. */
  admit(): Admission;
  /**
   * Throws `model_not_found`, `invalid_request` for what cannot be asked, `unsupported_schema` and `invalid_schema` for a schema that cannot
   * be obeyed (all before any token), `context_exceeded` for an input that is too long, and what loading and running the model may throw.
   * An answer that was cut at `maxTokens` has the reason `length`; its `value` is undefined then.
   */
  generate(request: GenerateRequest, context: GenerateContext): Promise<Generation>;
  models(): Promise<readonly LanguageModel[]>;
  /** Throws `model_not_found`. */
  model(name: string): Promise<LanguageModel>;
}

/** For those who cut their input to fit. */
export interface MeasuringLanguageService extends LanguageService {
  /** Loads an embedded model; throws as `generate` does before any token, but never `context_exceeded`. */
  measure(request: MeasureRequest, signal: AbortSignal): Promise<PromptMeasure>;
  /** Throws `invalid_schema` or `unsupported_schema` for a schema that `generate` would refuse. */
  checkSchema(schema: JsonSchema, signal?: AbortSignal): Promise<void>;
}
