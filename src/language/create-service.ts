/** The language service: demands are compiled before any token, answers are checked before they leave. */
import { randomInt } from 'node:crypto';
import { AppError } from '../base/errors.ts';
import type { Engine } from '../engine/engine.ts';
import { type CheckedAnswer, checkAnswer } from './answer.ts';
import type { AnswerSource, SourceContext, SourcedAnswer } from './answer-source.ts';
import { type Demand, demandOf } from './constraint.ts';
import type { FinishReason, GenerateRequest, Generation } from './generation.ts';
import type { SchemaCompiler } from './schema/schema-compiler.ts';
import type { GenerateContext, MeasuringLanguageService } from './service.ts';

export interface LanguageParts {
  readonly engine: Pick<Engine, 'admit'>;
  readonly source: AnswerSource;
  readonly compiler: SchemaCompiler;
}

const MOST_STOPS = 16;
const SEEDS = 2 ** 32;

export function createLanguageService({ engine, source, compiler }: LanguageParts): MeasuringLanguageService {
  interface Attempt {
    readonly answer: SourcedAnswer;
    readonly checked: CheckedAnswer;
  }

  async function attempt(
    request: GenerateRequest,
    demand: Demand,
    { seed, signal, streams, onText }: Omit<SourceContext, 'demand'>,
  ): Promise<Attempt> {
    const answer = await source.answer(request, { demand, seed, signal, streams, onText });
    return { answer, checked: await checkAnswer(answer, demand, { compiler, signal }) };
  }

  async function generate(
    request: GenerateRequest,
    { signal, onEvent }: GenerateContext,
  ): Promise<Generation> {
    const begun = performance.now();
    checkRequest(request);
    const demand = await demandOf(request, compiler, signal);
    let firstAt: number | undefined;
    let isTold = false;
    const onText = (text: string) => {
      firstAt ??= performance.now();
      if (onEvent === undefined) return;
      isTold = true;
      onEvent({ type: 'text', text });
    };
    const streams = onEvent !== undefined;
    const once = (seed: number) => attempt(request, demand, { seed, signal, streams, onText });
    const { answer, checked } = await once(request.seed ?? randomInt(SEEDS)).catch((thrown: unknown) => {
      // What was told cannot be taken back, and an equal seed would write the same again.
      const mayRetry = thrown instanceof AppError && thrown.code === 'invalid_output';
      if (!mayRetry || isTold || request.seed !== undefined) throw thrown;
      return once(randomInt(SEEDS));
    });
    for (const call of checked.toolCalls) onEvent?.({ type: 'toolCall', call });
    const ended = performance.now();
    return {
      model: answer.model,
      ...checked,
      finishReason: reasonOf(answer, checked),
      usage: answer.usage,
      timings: {
        untilFirstToken: ((firstAt ?? ended) - begun) / 1000,
        generating: (ended - (firstAt ?? ended)) / 1000,
        total: (ended - begun) / 1000,
      },
      versions: answer.versions,
    };
  }

  return {
    admit: () => engine.admit(),
    generate,
    async measure(request, signal) {
      checkRequest(request);
      return source.measure(request, signal);
    },
    async checkSchema(schema, signal) {
      await compiler.compile(schema, { root: 'root', openObjects: false, ...(signal && { signal }) });
    },
    models: () => source.models(),
    model: (name) => source.model(name),
  };
}

function reasonOf({ isCut }: SourcedAnswer, { toolCalls }: CheckedAnswer): FinishReason {
  if (isCut) return 'length';
  return toolCalls.length > 0 ? 'tool_calls' : 'stop';
}

function checkRequest({ messages, stop = [], seed }: GenerateRequest): void {
  const invalid = (param: string, what: string) => new AppError('invalid_request', what, { param });
  if (messages.length === 0) throw invalid('messages', 'There are no messages; at least one is needed.');
  if (stop.length > MOST_STOPS)
    throw invalid('stop', `There are ${stop.length} stop strings; at most ${MOST_STOPS} are looked for.`);
  if (stop.some((string) => string === ''))
    throw invalid('stop', 'A stop string is empty: no answer could begin.');
  if (seed !== undefined && !(Number.isInteger(seed) && seed >= 0 && seed < SEEDS))
    throw invalid('seed', `seed is expected to be a whole number from 0 to ${SEEDS - 1}, got ${seed}.`);
}
