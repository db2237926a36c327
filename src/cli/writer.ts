/** What `percept generate` asks for, whoever does the work: this machine or a server. */
import type { FinishReason, GenerateRequest } from '../language/generation.ts';

/** OpenAI's `chat.completion`, of which this much is read here. */
export interface Completion {
  readonly choices: readonly {
    readonly message: { readonly content: string | null };
    readonly finish_reason: string;
  }[];
}

export interface Writer {
  ask(request: GenerateRequest, signal: AbortSignal): Promise<Completion>;
  /** Gives the text as it comes, and says why it ended. */
  stream(
    request: GenerateRequest,
    context: { readonly signal: AbortSignal; onText(text: string): void },
  ): Promise<FinishReason>;
}
