/** Where answers come from: a model in a process of ours, or another server. What they give is not checked yet. */
import type { RawAnswer } from './answer.ts';
import type { Demand } from './constraint.ts';
import type { GenerateRequest, GenerationVersions, Usage } from './generation.ts';
import type { LanguageModel, MeasureRequest, PromptMeasure } from './service.ts';

export interface SourceContext {
  readonly demand: Demand;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Whether `onText` is to get every piece as it comes, or the first alone. */
  readonly streams: boolean;
  /** Pieces of the text; nothing of a call. */
  onText(piece: string): void;
}

export interface SourcedAnswer extends RawAnswer {
  readonly model: string;
  readonly usage: Usage | undefined;
  readonly versions: GenerationVersions;
}

export interface AnswerSource {
  /** Throws `model_not_found` and `invalid_request` for what it cannot be asked, and what running the model may throw. */
  answer(request: GenerateRequest, context: SourceContext): Promise<SourcedAnswer>;
  /** Throws as `answer` does before any token. */
  measure(request: MeasureRequest, signal: AbortSignal): Promise<PromptMeasure>;
  models(): Promise<readonly LanguageModel[]>;
  /** Throws `model_not_found`. */
  model(name: string): Promise<LanguageModel>;
}
