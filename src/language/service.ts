/** Language models for everyone above: the HTTP routes, the CLI and, later, tasks. Made by `app.ts` from the engine and the store. */
import type { Admission } from '../engine/admission.ts';
import type { GenerateEvent, GenerateRequest, Generation } from './generation.ts';

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
