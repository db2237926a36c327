/** A language service that says what a test has written down: routes are tested without weights. */
import { AppError } from '../../src/base/errors.ts';
import type { GenerateRequest, Generation } from '../../src/language/generation.ts';
import type { GenerateContext, LanguageModel, LanguageService } from '../../src/language/service.ts';

export const GENERATION: Generation = {
  model: 'smollm2-135m-instruct',
  text: 'Hello there.',
  value: undefined,
  toolCalls: [],
  finishReason: 'stop',
  usage: { promptTokens: 12, cachedTokens: 5, completionTokens: 4 },
  timings: { untilFirstToken: 0.5, generating: 0.3, total: 0.8 },
  versions: {
    model: 'smollm2-135m-instruct',
    engine: 'embedded',
    checkpointHash: 'abc',
    quantization: 'Q4_K_M',
    templateHash: undefined,
    settings: {
      temperature: 0.7,
      topP: 1,
      topK: 0,
      minP: 0,
      repeatPenalty: 1,
      frequencyPenalty: 0,
      presencePenalty: 0,
      maxTokens: 64,
    },
    seed: 7,
  },
};

export const WEATHER_CALL = { id: 'call_1', name: 'get_weather', arguments: { city: 'Hanoi' } } as const;

export const CALLING: Generation = {
  ...GENERATION,
  text: '',
  toolCalls: [WEATHER_CALL],
  finishReason: 'tool_calls',
};

const MODEL: LanguageModel = {
  name: 'smollm2-135m-instruct',
  description: 'A small model',
  engine: 'embedded',
  capabilities: ['chat', 'structured_output', 'tools'],
  memoryBytes: 200_000_000,
  ownedBy: 'HuggingFaceTB',
  installedAt: new Date('2026-01-02T03:04:05Z'),
};

export type Answer = (request: GenerateRequest, context: GenerateContext) => Generation | Promise<Generation>;

export interface ScriptedLanguage extends LanguageService {
  /** What was asked, latest last. */
  readonly asked: GenerateRequest[];
  readonly turns: { taken: number; given: number };
}

/** Without a script it says hello, word by word. */
export function scriptedLanguage(
  answer: Answer = sayHello,
  { isFull = false }: { readonly isFull?: boolean } = {},
): ScriptedLanguage {
  const asked: GenerateRequest[] = [];
  const turns = { taken: 0, given: 0 };
  return {
    asked,
    turns,
    admit() {
      if (isFull) throw new AppError('queue_full', 'The queue is full.', { retryAfterSeconds: 1.2 });
      turns.taken += 1;
      return {
        release() {
          turns.given += 1;
        },
      };
    },
    async generate(request, context) {
      asked.push(request);
      if (request.model === 'nonsense') throw notFound(request.model);
      return answer(request, context);
    },
    models: async () => [MODEL],
    async model(name) {
      if (name !== MODEL.name) throw notFound(name);
      return MODEL;
    },
  };
}

function notFound(name: string): AppError {
  return new AppError('model_not_found', `There is no model ${name}.`, { param: 'model' });
}

function sayHello(_request: GenerateRequest, { onEvent }: GenerateContext): Generation {
  for (const text of ['Hello', ' there', '.']) onEvent?.({ type: 'text', text });
  return GENERATION;
}
