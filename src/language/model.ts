/** A language model in memory, inside its model process. */
import { readFile } from 'node:fs/promises';
import { openLlama } from '../backends/llama.ts';
import type { TextModel } from '../backends/text-model.ts';
import { AppError } from '../base/errors.ts';
import type { CallContext, LoadedModel, LoadSpec } from '../engine/protocol.ts';
import { type ChatTemplate, createChatTemplate } from './chat-template.ts';
import type { GenerationSettings, Message, Tool } from './generation.ts';
import { watchFor } from './text-watch.ts';
import {
  type CallableTool,
  callGrammar,
  readCalls,
  type ToolFormat,
  type WrittenCall,
} from './tool-format.ts';

/** `LoadSpec.options` of a language model. */
export type LanguageLoadOptions = {
  /** The GGUF file, the first where there are several parts. */
  readonly weights: string;
  readonly threads: number;
  readonly contextTokens: number;
  readonly sequences: number;
  readonly gpu: 'auto' | 'off';
  /** The chat template that the weights bring. */
  readonly template: string | undefined;
  /** A file with another one. */
  readonly templateFile: string | undefined;
};

/** What the text must be, in the model's own forms. */
export type Constraint =
  | { readonly kind: 'free' }
  | { readonly kind: 'grammar'; readonly gbnf: string }
  | {
      readonly kind: 'calls';
      readonly tools: readonly CallableTool[];
      readonly isParallel: boolean;
      readonly otherwise: 'text' | { readonly root: string; readonly gbnf: string } | undefined;
    };

/** Input of the call `generate`; its events are pieces of text, its output is a `Written`. */
export interface WriteInput {
  readonly messages: readonly Message[];
  readonly tools: readonly Tool[];
  readonly constraint: Constraint;
  readonly settings: GenerationSettings;
  /** An answer as long as the context allows will do, where the caller has not asked for a length. */
  readonly mayShorten: boolean;
  readonly stop: readonly string[];
  readonly seed: number;
  readonly thinking: boolean;
  /** Every piece of the text is wanted as it comes; else the first alone, since each wakes the server on a core that computes. */
  readonly streams: boolean;
}

export interface Written {
  /** Before the calls, where there are any. */
  readonly text: string;
  readonly calls: readonly WrittenCall[];
  readonly reason: 'end' | 'length';
  readonly templateHash: string;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** Thoughts among them. */
  readonly completionTokens: number;
  /** As used: `maxTokens` is what the context left. */
  readonly settings: GenerationSettings;
}

/** Input of the call `measure`; its output is a `Measured`. */
export type MeasureInput = Pick<WriteInput, 'messages'>;

export interface Measured {
  readonly promptTokens: number;
  readonly contextTokens: number;
}

/** Throws `not_runnable`, `model_failed`, `unsupported_model` for a template that cannot be read. */
export async function load(spec: LoadSpec): Promise<LoadedModel> {
  const options = spec.options as unknown as LanguageLoadOptions; // made by create-service.ts
  const model = await openLlama(options.weights, options);
  const template = createChatTemplate(await templateText(options), {
    beginning: model.beginningText,
    end: model.endText,
  });
  return {
    async call(method, input, context) {
      switch (method) {
        case 'generate':
          return write(input as WriteInput, { model, template }, context);
        case 'measure':
          return measure(input as MeasureInput, { model, template });
        default:
          throw new Error(`A language model has no method ${method}.`);
      }
    },
    close: () => model.close(),
  };
}

async function templateText({ template, templateFile }: LanguageLoadOptions): Promise<string | undefined> {
  if (templateFile === undefined) return template;
  return readFile(templateFile, 'utf8').catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError(
      'invalid_config',
      `The chat template of language.template_file cannot be read: ${reason}`,
      { param: 'language.template_file', cause },
    );
  });
}

interface Writer {
  readonly model: TextModel;
  readonly template: ChatTemplate;
}

async function write(input: WriteInput, writer: Writer, { signal, emit }: CallContext): Promise<Written> {
  const { model, template } = writer;
  const { messages, tools, constraint, stop, seed } = input;
  const thinking = input.thinking && template.canThink;
  const prompt = template.render({ messages, tools, thinking });
  const thought = thinking ? await think(prompt, input, { ...writer, signal }) : NO_THOUGHT;
  const tokens = model.tokenize(prompt + thought.text);
  const settings = fit(input, {
    prompt: tokens.length,
    thought: thought.tokens,
    context: model.contextTokens,
  });
  const ending = watchFor(stop);
  const { tag } = template.toolFormat;
  // What is behind the tag is a call, and is told of when it is whole.
  const prose = watchFor(constraint.kind === 'calls' ? [tag] : []);
  let isTold = false;
  const tell = (shown: string) => {
    if (shown === '' || (isTold && !input.streams)) return;
    isTold = true;
    emit(shown);
  };
  const pieces: string[] = [];
  const pass = (piece: string) => {
    pieces.push(piece);
    tell(prose.push(piece));
  };
  const { reason, completionTokens, cachedTokens } = await model.generate(
    {
      tokens,
      maxTokens: settings.maxTokens - thought.tokens,
      grammar: grammarOf(constraint, template.toolFormat),
      sampling: settings,
      seed,
    },
    {
      signal,
      onText(piece) {
        pass(ending.push(piece));
        return ending.found !== undefined;
      },
    },
  );
  pass(ending.end());
  tell(prose.end());
  const text = pieces.join('');
  const read =
    constraint.kind === 'calls' ? readCalls(text, template.toolFormat) : { prose: text, calls: [] };
  return {
    text: read.prose,
    calls: read.calls,
    reason,
    templateHash: template.hash,
    promptTokens: tokens.length - thought.tokens,
    cachedTokens: thinking ? 0 : cachedTokens,
    completionTokens: completionTokens + thought.tokens,
    settings,
  };
}

function measure({ messages }: MeasureInput, { model, template }: Writer): Measured {
  const prompt = template.render({ messages, tools: [], thinking: false });
  return { promptTokens: model.tokenize(prompt).length, contextTokens: model.contextTokens };
}

const NO_THOUGHT = { text: '', tokens: 0 };
const END_OF_THOUGHT = '</think>';

/** Thoughts are free, whatever the answer must be; they end where the model says so, or with half of what it may write. */
async function think(
  prompt: string,
  input: WriteInput,
  { model, signal }: { readonly model: TextModel; readonly signal: AbortSignal },
): Promise<{ readonly text: string; readonly tokens: number }> {
  const tokens = model.tokenize(prompt);
  const settings = fit(input, { prompt: tokens.length, thought: 0, context: model.contextTokens });
  const watch = watchFor([END_OF_THOUGHT]);
  const pieces: string[] = [];
  await model.generate(
    {
      tokens,
      maxTokens: Math.ceil(settings.maxTokens / 2),
      grammar: undefined,
      sampling: settings,
      seed: input.seed,
    },
    {
      signal,
      onText(piece) {
        pieces.push(watch.push(piece));
        return watch.found !== undefined;
      },
    },
  );
  const text = `${pieces.join('')}${watch.end()}${END_OF_THOUGHT}\n\n`;
  return { text, tokens: model.tokenize(prompt + text).length - tokens.length };
}

/** Room for the answer; throws `context_exceeded` where there is none, or less than was asked for. */
function fit(
  { settings, mayShorten }: WriteInput,
  tokens: { readonly prompt: number; readonly thought: number; readonly context: number },
): GenerationSettings {
  const promptTokens = tokens.prompt - tokens.thought;
  const room = tokens.context - promptTokens;
  if (settings.maxTokens <= room) return settings;
  if (mayShorten && room > tokens.thought) return { ...settings, maxTokens: room };
  throw new AppError(
    'context_exceeded',
    `The input has ${promptTokens} tokens and the answer may have ${settings.maxTokens}, but the context holds ${tokens.context}. ` +
      'Send less, ask for fewer tokens (max_tokens), or raise language.context_tokens.',
    { param: 'messages' },
  );
}

function grammarOf(constraint: Constraint, format: ToolFormat): string | undefined {
  switch (constraint.kind) {
    case 'free':
      return undefined;
    case 'grammar':
      return constraint.gbnf;
    case 'calls':
      return callGrammar(constraint.tools, { ...constraint, format });
    default:
      return constraint satisfies never;
  }
}
