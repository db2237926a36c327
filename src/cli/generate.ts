/** `percept generate PROMPT...`, here or on a running server. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { AppError } from '../base/errors.ts';
import type { GenerateRequest, JsonSchema, Message } from '../language/generation.ts';
import type { LanguageService } from '../language/service.ts';
import { toCompletion } from '../server/chat-answer.ts';
import type { CliContext } from './context.ts';
import { generateRemotely } from './generate-remotely.ts';
import { numberBetween, wholeNumberBetween } from './option-values.ts';
import type { Writer } from './writer.ts';

interface Options {
  readonly system?: string;
  readonly schema?: string;
  readonly model?: string;
  readonly temperature?: number;
  readonly maxTokens?: number;
  readonly seed?: number;
  readonly json?: true;
  readonly server?: string;
  readonly apiKey?: string;
}

export function register(program: Command, context: CliContext): void {
  program
    .command('generate')
    .description('have a language model answer a prompt')
    .argument('<prompt...>', 'what to ask; "-" for standard input')
    .option('-s, --system <text>', 'what the model is told before the prompt')
    .option('--schema <file>', 'JSON Schema that the answer obeys; the value is printed')
    .option('-m, --model <name>', 'language model; the configured default when left out')
    .option('--temperature <number>', 'from 0 (always the likeliest) to 2', numberBetween(0, 2))
    .option('--max-tokens <number>', 'longest answer', wholeNumberBetween(1, 10_000_000))
    .option(
      '--seed <number>',
      'equal seeds give equal answers',
      wholeNumberBetween(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    )
    .option('--json', 'the whole answer as JSON, as the HTTP API gives it')
    .option('--server <url>', 'use a running server')
    .option('--api-key <key>', 'key of that server')
    .action((prompt: string[], options: Options) => generate(prompt, options, context));
}

async function generate(prompt: readonly string[], options: Options, context: CliContext): Promise<void> {
  const request = await readRequest(prompt, options, context);
  const { server, apiKey } = options;
  if (server !== undefined) return print(generateRemotely({ server, apiKey }), request, { options, context });
  const app = context.openLanguage(context.loadConfig().config);
  try {
    await print(writeHere(app.language), request, { options, context });
  } finally {
    await app.close({ timeoutMs: 0 });
  }
}

async function readRequest(
  prompt: readonly string[],
  options: Options,
  { stdin }: CliContext,
): Promise<GenerateRequest> {
  const schema = options.schema === undefined ? undefined : await readSchema(options.schema);
  const asked = prompt.length === 1 && prompt[0] === '-' ? await text(stdin) : prompt.join(' ');
  if (asked.trim() === '') throw new AppError('usage', 'The prompt is empty.');
  const system: Message[] = options.system === undefined ? [] : [{ role: 'system', content: options.system }];
  return {
    model: options.model,
    messages: [...system, { role: 'user', content: asked }],
    output: schema === undefined ? undefined : { kind: 'schema', schema },
    settings: { temperature: options.temperature, maxTokens: options.maxTokens },
    seed: options.seed,
  };
}

async function readSchema(path: string): Promise<JsonSchema> {
  const content = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AppError('usage', `The schema ${path} cannot be read.`, { cause });
  });
  try {
    return JSON.parse(content) as JsonSchema;
  } catch (cause) {
    throw new AppError('usage', `The schema ${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

function writeHere(language: LanguageService): Writer {
  return {
    ask: async (request, signal) => toCompletion(await language.generate(request, { signal })),
    async stream(request, { signal, onText }) {
      const { finishReason } = await language.generate(request, {
        signal,
        onEvent(event) {
          if (event.type === 'text') onText(event.text);
        },
      });
      return finishReason;
    },
  };
}

/** On a terminal a text is shown as it comes. */
async function print(
  writer: Writer,
  request: GenerateRequest,
  { options, context }: { readonly options: Options; readonly context: CliContext },
): Promise<void> {
  const { stdout, stderr, signal } = context;
  if (stdout.isTTY && !options.json && options.schema === undefined) {
    const reason = await writer.stream(request, { signal, onText: (piece) => stdout.write(piece) });
    stdout.write('\n');
    if (reason === 'length') stderr.write(CUT);
    return;
  }
  const completion = await writer.ask(request, signal);
  const { message, finish_reason } = completion.choices[0]!;
  if (finish_reason === 'length' && options.schema !== undefined)
    throw new AppError('output_truncated', 'The answer was cut before it was whole. Raise --max-tokens.');
  if (options.json) stdout.write(`${JSON.stringify(completion, null, 2)}\n`);
  else if (options.schema === undefined) stdout.write(`${message.content ?? ''}\n`);
  else stdout.write(`${JSON.stringify(parseValue(message.content ?? ''), null, 2)}\n`);
  if (finish_reason === 'length') stderr.write(CUT);
}

/** Percept's own answers are valid; any server may be asked. */
function parseValue(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw new AppError('invalid_output', 'The server does not obey schemas: its answer is not JSON.', {
      cause,
    });
  }
}

const CUT = 'percept: the answer was cut; --max-tokens makes it longer.\n';
