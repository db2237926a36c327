/** Answers by another server. What it was asked to obey is checked here like everything else. */
import { AppError } from '../base/errors.ts';
import type { AnswerSource, SourceContext, SourcedAnswer } from './answer-source.ts';
import type { ExternalEngine } from './external-engine.ts';
import type { GenerateRequest, GenerationSettings, Message } from './generation.ts';
import type { LanguageModel } from './service.ts';
import { requestLayer, type SettingsLayer } from './settings.ts';

export interface ExternalDefaults {
  /** The server's name for the model that no name stands for. */
  readonly model: string;
  /** What the configuration says of drawing tokens; the rest is the server's. */
  readonly settings: SettingsLayer;
  /** What a prompt and its answer may have together; the server does not tell. */
  readonly contextTokens: number;
}

/** The list of models is waited for so long. */
const MODELS_TIMEOUT_MS = 10_000;

export function createExternal(engine: ExternalEngine, defaults: ExternalDefaults): AnswerSource {
  async function answer(request: GenerateRequest, context: SourceContext): Promise<SourcedAnswer> {
    const { demand, seed, signal, streams, onText } = context;
    const settings = settingsOf([defaults.settings, requestLayer(request.settings)]);
    const model = request.model ?? defaults.model;
    const { tools } = demand;
    const given = await engine.complete(
      {
        ...request,
        model,
        settings,
        seed,
        tools: tools.length > 0 ? tools : undefined,
        toolChoice: tools.length > 0 ? request.toolChoice : undefined,
      },
      { signal, onText: streams ? onText : undefined },
    );
    return {
      model,
      text: given.text,
      calls: given.toolCalls,
      isCut: given.finishReason === 'length',
      usage: given.usage,
      versions: {
        model: given.model ?? model,
        engine: 'external',
        checkpointHash: undefined,
        quantization: undefined,
        templateHash: undefined,
        settings,
        seed,
      },
    };
  }

  async function models(): Promise<LanguageModel[]> {
    const names = await engine.models(AbortSignal.timeout(MODELS_TIMEOUT_MS));
    return names.map((name) => ({
      name,
      description: 'Language model of the external server',
      engine: 'external',
      capabilities: ['chat', 'structured_output', 'tools'],
      memoryBytes: 0,
      ownedBy: 'external',
      installedAt: undefined,
    }));
  }

  return {
    answer,
    models,
    measure: async ({ messages }) => ({
      promptTokens: estimateTokens(messages),
      contextTokens: defaults.contextTokens,
      isEstimate: true,
    }),
    async model(name) {
      const found = (await models()).find((one) => one.name === name);
      if (found !== undefined) return found;
      throw new AppError('model_not_found', `The external server has no model ${JSON.stringify(name)}.`, {
        param: 'model',
      });
    },
  };
}

/** What templates put around a conversation, and around each message of it. */
const TEMPLATE_TOKENS = 16;
const MESSAGE_TOKENS = 8;

/**
 * Rather too many: three ASCII characters a token, where English has five, and each other character one. A vocabulary that knows English
 * alone may need more for other languages: SmolLM2 takes 16 tokens for nine Chinese characters, Gemma 3 takes 6.
 */
export function estimateTokens(messages: readonly Pick<Message, 'content'>[]): number {
  let tokens = TEMPLATE_TOKENS;
  for (const { content } of messages) {
    const others = content.replace(/[\0-\x7f]/g, '').length;
    tokens += MESSAGE_TOKENS + others + Math.ceil((content.length - others) / 3);
  }
  return tokens;
}

/** Later layers go before. */
function settingsOf(layers: readonly SettingsLayer[]): Partial<GenerationSettings> {
  return Object.fromEntries(layers.flatMap((layer) => [...layer].map(([name, { value }]) => [name, value])));
}
