/** The body of POST /v1/chat/completions: what it may hold, and what it asks of a model. */
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import type { GenerateRequest, OutputForm } from '../language/generation.ts';
import { messagesForm, toMessages } from './chat-messages.ts';
import { jsonObject, toolChoiceForm, toolsForm, toToolChoice, toTools } from './chat-tools.ts';
import { ignored, keepAlive, numberBetween, optional, unsupported, wholeNumberBetween } from './json-body.ts';

/** No context is longer. */
export const MAX_TOKENS = 10_000_000;
const MAX_STOPS = 16;

const stopText = z.string().min(1).max(1000);

const responseFormat = z.discriminatedUnion(
  'type',
  [
    z.strictObject({ type: z.literal('text') }),
    z.strictObject({ type: z.literal('json_object') }),
    z.strictObject({
      type: z.literal('json_schema'),
      json_schema: z.strictObject({
        name: z.string().min(1).max(64),
        description: optional(z.string()),
        schema: z.union([jsonObject, z.boolean()], { error: 'expected a JSON Schema' }),
        strict: optional(z.boolean(), 'The schema is obeyed, whatever this says.'),
      }),
    }),
  ],
  { error: 'expected {"type": "text"}, {"type": "json_object"}, or {"type": "json_schema", "json_schema"}' },
);

/** Parameters of OpenAI's API are accepted if they have their meaning here or cannot change the answer; others are refused. */
export const chatForm = z.strictObject({
  messages: messagesForm,
  model: optional(z.string().min(1), 'A language model of this server; left out: the configured default.'),
  tools: optional(toolsForm),
  tool_choice: optional(toolChoiceForm),
  parallel_tool_calls: optional(
    z.boolean(),
    'Whether several tools may be called at once; true when left out.',
  ),
  response_format: optional(responseFormat),
  stream: optional(z.boolean()),
  stream_options: optional(
    z.object({ include_usage: optional(z.boolean()), include_obfuscation: ignored() }),
  ),
  stop: optional(
    z.union([stopText, z.array(stopText).max(MAX_STOPS)], {
      error: `expected a text, or up to ${MAX_STOPS} of them`,
    }),
    'The answer ends before the first of these.',
  ),
  seed: optional(z.int(), 'Equal seeds and equal requests give equal answers.'),
  max_completion_tokens: optional(wholeNumberBetween(1, MAX_TOKENS)),
  max_tokens: optional(wholeNumberBetween(1, MAX_TOKENS), 'The older name of max_completion_tokens.'),
  temperature: optional(numberBetween(0, 2)),
  top_p: optional(numberBetween(0, 1)),
  frequency_penalty: optional(numberBetween(-2, 2)),
  presence_penalty: optional(numberBetween(-2, 2)),
  reasoning_effort: optional(
    z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh']),
    'From low: the model thinks before it answers, if it can.',
  ),
  top_k: optional(wholeNumberBetween(0, 1_000_000), 'Draw from this many tokens; 0: all. Percept only.'),
  min_p: optional(
    numberBetween(0, 1),
    'Drop tokens less likely than this share of the likeliest. Percept only.',
  ),
  repeat_penalty: optional(
    numberBetween(0.1, 10),
    'Above 1: tokens that were said are less likely. Percept only.',
  ),
  thinking: optional(z.boolean(), 'Whether the model thinks before it answers, if it can. Percept only.'),
  chat_template_kwargs: optional(
    z.strictObject({ enable_thinking: optional(z.boolean()) }),
    'As vLLM has it: the same as "thinking".',
  ),
  keep_alive: keepAlive(),
  n: unsupported('one answer is given; ask several times', [1]),
  logprobs: unsupported('leave it out', [false]),
  top_logprobs: unsupported('leave it out', [0]),
  logit_bias: unsupported('leave it out', [{}]),
  modalities: unsupported('answers are text', [['text']]),
  audio: unsupported('answers are text'),
  functions: unsupported('send "tools"', [[]]),
  function_call: unsupported('send "tool_choice"'),
  web_search_options: unsupported('nothing is looked up'),
  verbosity: unsupported('say in a message how long the answer is to be', ['medium']),
  moderation: unsupported('nothing is moderated'),
  user: ignored(),
  metadata: ignored(),
  store: ignored(),
  safety_identifier: ignored(),
  prompt_cache_key: ignored(),
  prompt_cache_options: ignored(),
  prompt_cache_retention: ignored(),
  prediction: ignored(),
  service_tier: ignored(),
});

export type ChatForm = z.output<typeof chatForm>;

/** Throws `invalid_request` for what does not fit together. */
export function toGenerateRequest(form: ChatForm): GenerateRequest {
  const tools = toTools(form.tools);
  return {
    model: form.model,
    messages: toMessages(form.messages),
    tools,
    toolChoice: toToolChoice(form.tool_choice, tools),
    parallelToolCalls: form.parallel_tool_calls,
    output: toOutput(form.response_format),
    settings: {
      temperature: form.temperature,
      topP: form.top_p,
      topK: form.top_k,
      minP: form.min_p,
      repeatPenalty: form.repeat_penalty,
      frequencyPenalty: form.frequency_penalty,
      presencePenalty: form.presence_penalty,
      maxTokens: oneOf('max_completion_tokens', form.max_completion_tokens, form.max_tokens),
    },
    stop: form.stop === undefined ? undefined : [form.stop].flat(),
    seed: form.seed,
    thinking: thinkingOf(form),
    keepAliveSeconds: form.keep_alive,
  };
}

function toOutput(format: ChatForm['response_format']): OutputForm | undefined {
  switch (format?.type) {
    case undefined:
    case 'text':
      return undefined;
    case 'json_object':
      return { kind: 'json' };
    case 'json_schema':
      return { kind: 'schema', schema: format.json_schema.schema };
    default:
      throw new Error(`Unknown format ${format satisfies never}.`);
  }
}

function thinkingOf({ thinking, chat_template_kwargs, reasoning_effort }: ChatForm): boolean | undefined {
  const said = oneOf('thinking', thinking, chat_template_kwargs?.enable_thinking);
  const byEffort =
    reasoning_effort === undefined ? undefined : !['none', 'minimal'].includes(reasoning_effort);
  return oneOf('reasoning_effort', said, byEffort);
}

/** Two names of one thing must not contradict each other. */
function oneOf<T>(param: string, first: T | undefined, second: T | undefined): T | undefined {
  if (first !== undefined && second !== undefined && first !== second) {
    throw new AppError(
      'invalid_request',
      `The field "${param}" contradicts another field of the same meaning.`,
      {
        param,
      },
    );
  }
  return first ?? second;
}
