/** Generation by another server: requests and answers in OpenAI's form. Whether an answer is valid is for the service to say. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type OpenaiServer, openOpenaiServer } from '../backends/openai.ts';
import { AppError } from '../base/errors.ts';
import type { FinishReason, GenerateRequest, Message, ToolChoice, Usage } from './generation.ts';

/** As the configuration has it. */
export interface ExternalSettings {
  readonly url: string | null;
  readonly apiKey: string | null;
  readonly timeoutSeconds: number;
  readonly retries: number;
}

export interface ExternalCall {
  readonly id: string;
  readonly name: string;
  /** As the model wrote it: it may be no JSON. */
  readonly arguments: string;
}

export interface ExternalAnswer {
  readonly text: string;
  readonly toolCalls: readonly ExternalCall[];
  readonly finishReason: FinishReason;
  /** Undefined where the server does not count. */
  readonly usage: Usage | undefined;
  /** The server's own name for it. */
  readonly model: string | undefined;
}

export interface ExternalContext {
  readonly signal: AbortSignal;
  /** Pieces of the text as they come. Without it the answer is asked for whole. */
  readonly onText?: ((text: string) => void) | undefined;
}

export interface ExternalEngine {
  /** Throws `upstream_failed`, `model_not_found`, `context_exceeded`, `cancelled`. */
  complete(request: GenerateRequest, context: ExternalContext): Promise<ExternalAnswer>;
  /** Names of the server's models. Throws as `complete` does. */
  models(signal: AbortSignal): Promise<readonly string[]>;
}

const CONNECT_TIMEOUT_MS = 10_000;
const RETRY_DELAY_MS = 500;

/** Throws `invalid_config` without an address. Nothing is sent before something is asked. */
export function openExternalEngine(settings: ExternalSettings): ExternalEngine {
  const { url, apiKey, timeoutSeconds, retries } = settings;
  if (url === null) {
    throw new AppError(
      'invalid_config',
      'language.engine is external, but language.url is not set. Set PERCEPT_LANGUAGE_URL, such as http://127.0.0.1:11434/v1.',
      { param: 'language.url' },
    );
  }
  const server = openOpenaiServer({
    url,
    apiKey: apiKey ?? undefined,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    idleTimeoutMs: timeoutSeconds * 1000,
    retries,
    retryDelayMs: RETRY_DELAY_MS,
  });
  return createExternalEngine(server);
}

export function createExternalEngine(server: OpenaiServer): ExternalEngine {
  return {
    async complete(request, { signal, onText }) {
      const body = toBody(request);
      if (onText === undefined) return readWhole(await server.post('chat/completions', body, signal));
      const answer = gather(onText);
      const streamed = { ...body, stream: true, stream_options: { include_usage: true } };
      await server.stream('chat/completions', streamed, { signal, onData: answer.add });
      return answer.finish();
    },
    async models(signal) {
      const { data } = read(modelsAnswer, await server.get('models', signal));
      return data.map(({ id }) => id);
    },
  };
}

/** What is not set is left out, so that the server's own defaults hold. */
function toBody(request: GenerateRequest): object {
  const { settings = {}, tools, output, toolChoice, thinking } = request;
  return defined({
    model: request.model,
    messages: request.messages.map(toMessageForm),
    tools: tools?.map(({ name, description, parameters }) => ({
      type: 'function',
      // `true` stands for any arguments; the wire wants an object.
      function: defined({
        name,
        description,
        parameters: parameters === true ? { type: 'object' } : parameters,
      }),
    })),
    tool_choice: toChoiceForm(toolChoice),
    parallel_tool_calls: tools === undefined ? undefined : request.parallelToolCalls,
    response_format: toFormat(output),
    temperature: settings.temperature,
    top_p: settings.topP,
    top_k: settings.topK,
    min_p: settings.minP,
    // llama.cpp and Ollama have the first name, vLLM the second; each passes over the other.
    repeat_penalty: settings.repeatPenalty,
    repetition_penalty: settings.repeatPenalty,
    frequency_penalty: settings.frequencyPenalty,
    presence_penalty: settings.presencePenalty,
    // The older name, as some of these servers know no other.
    max_tokens: settings.maxTokens,
    stop: request.stop,
    seed: request.seed,
    chat_template_kwargs: thinking === undefined ? undefined : { enable_thinking: thinking },
  });
}

function defined(fields: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function toMessageForm({ role, content, toolCalls, toolCallId }: Message): object {
  const calls = toolCalls?.map(({ id, name, arguments: given }) => ({
    id,
    type: 'function',
    function: { name, arguments: JSON.stringify(given) },
  }));
  return defined({ role, content, tool_calls: calls, tool_call_id: toolCallId });
}

function toChoiceForm(choice: ToolChoice | undefined): unknown {
  return typeof choice === 'object' ? { type: 'function', function: choice } : choice;
}

function toFormat(output: GenerateRequest['output']): object | undefined {
  switch (output?.kind) {
    case undefined:
    case 'text':
      return undefined;
    case 'json':
      return { type: 'json_object' };
    case 'schema':
      return {
        type: 'json_schema',
        json_schema: { name: 'answer', strict: true, schema: output.schema },
      };
    default:
      throw new Error(`Unknown form ${output satisfies never}.`);
  }
}

const modelsAnswer = z.object({ data: z.array(z.object({ id: z.string() })) });

const usageForm = z.object({
  prompt_tokens: z.number(),
  completion_tokens: z.number().default(0),
  prompt_tokens_details: z.object({ cached_tokens: z.number().nullish() }).nullish(),
});

const callForm = z.object({
  index: z.number().nullish(),
  id: z.string().nullish(),
  function: z
    .object({
      name: z.string().nullish(),
      // Some servers send the object itself.
      arguments: z
        .union([z.string(), z.looseObject({}).transform((value) => JSON.stringify(value))])
        .nullish(),
    })
    .nullish(),
});

const part = z.object({ content: z.string().nullish(), tool_calls: z.array(callForm).nullish() });

const answerForm = z.object({
  model: z.string().nullish(),
  choices: z.array(
    z.object({ message: part.nullish(), delta: part.nullish(), finish_reason: z.string().nullish() }),
  ),
  usage: usageForm.nullish(),
});

function readWhole(answer: unknown): ExternalAnswer {
  const gathered = gather(() => {});
  gathered.add(answer);
  return gathered.finish();
}

/** The parts of an answer, one after the other, to the whole. A whole answer is one part. */
function gather(onText: (text: string) => void) {
  let text = '';
  const calls: { id: string; name: string; arguments: string }[] = [];
  /** Where each numbered call stands among the calls. */
  const places = new Map<number, number>();
  let reason: string | undefined;
  let usage: Usage | undefined;
  let model: string | undefined;

  /** Servers that do not number calls send each whole, with an id. */
  function placeOf({ index, id }: z.output<typeof callForm>): number {
    const known = typeof index === 'number' ? places.get(index) : undefined;
    if (known !== undefined) return known;
    const isNext = typeof index === 'number' || typeof id === 'string' || calls.length === 0;
    if (!isNext) return calls.length - 1;
    calls.push({ id: id || `call_${randomUUID().replaceAll('-', '')}`, name: '', arguments: '' });
    if (typeof index === 'number') places.set(index, calls.length - 1);
    return calls.length - 1;
  }

  function addPart({ content, tool_calls }: z.output<typeof part>): void {
    if (content) {
      text += content;
      onText(content);
    }
    for (const piece of tool_calls ?? []) {
      const call = calls[placeOf(piece)]!;
      // The name comes whole; llama-cpp-python repeats it with every piece of the arguments.
      call.name ||= piece.function?.name ?? '';
      call.arguments += piece.function?.arguments ?? '';
    }
  }

  return {
    add(data: unknown): void {
      const answer = read(answerForm, data);
      const [choice] = answer.choices;
      const piece = choice?.delta ?? choice?.message;
      if (piece) addPart(piece);
      reason = choice?.finish_reason ?? reason;
      model = answer.model ?? model;
      if (answer.usage) usage = toUsage(answer.usage);
    },
    finish(): ExternalAnswer {
      return { text, toolCalls: calls, finishReason: toReason(reason, calls.length > 0), usage, model };
    },
  };
}

function toUsage({
  prompt_tokens,
  completion_tokens,
  prompt_tokens_details,
}: z.output<typeof usageForm>): Usage {
  return {
    promptTokens: prompt_tokens,
    completionTokens: completion_tokens,
    cachedTokens: prompt_tokens_details?.cached_tokens ?? 0,
  };
}

/** Servers say `stop` after calls, too. */
function toReason(reason: string | undefined, hasCalls: boolean): FinishReason {
  switch (reason) {
    case 'length':
      return 'length';
    case 'stop':
    case 'tool_calls':
    case 'function_call':
      return hasCalls ? 'tool_calls' : 'stop';
    case undefined:
      throw new AppError('upstream_failed', 'The answer of the language server broke off before its end.');
    default:
      throw new AppError(
        'upstream_failed',
        `The language server ended its answer with "${reason.slice(0, 64)}".`,
      );
  }
}

function read<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  throw new AppError(
    'upstream_failed',
    `The language server answered something that OpenAI's API does not have: ${issue!.path.join('.')}: ${issue!.message}.`,
  );
}
