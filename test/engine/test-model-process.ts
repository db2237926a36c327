/** A model process with a model that does what a test asks of it, served by the product's own loop. */
import { appendFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { AppError } from '../../src/base/errors.ts';
import { serveModel } from '../../src/engine/model-process-loop.ts';
import type { CallContext, LoadedModel, LoadSpec } from '../../src/engine/protocol.ts';

export interface TestModelOptions {
  /** A line is added for every load that begins. */
  readonly journal?: string;
  readonly loadMs?: number;
  readonly onLoad?: 'fail' | 'crash' | 'hang';
  readonly allocateBytes?: number;
  readonly onClose?: 'hang';
}

type Method = (input: never, context: CallContext) => Promise<unknown>;

const METHODS: Readonly<Record<string, Method>> = {
  echo: async (input) => input,
  count: async (times: number, { emit }) => {
    for (let index = 1; index <= times; index += 1) emit(index);
    return times;
  },
  collect: async (_, { chunks, emit }) => {
    const collected: unknown[] = [];
    for await (const chunk of chunks) {
      emit(chunk);
      collected.push(chunk);
    }
    return collected;
  },
  takeOne: async (_, { chunks, emit, signal }) => {
    for await (const chunk of chunks) {
      emit(chunk);
      return wait(60_000, undefined, { signal });
    }
  },
  ignoreChunks: async () => 'ignored',
  wait: async (milliseconds: number, { signal, emit }) => {
    emit('begun');
    return wait(milliseconds, 'waited', { signal });
  },
  // Events go on after the abort: none of them may reach the caller.
  abortedLate: async (milliseconds: number, { emit }) => {
    emit('begun');
    await wait(milliseconds);
    emit('late');
    return 'late';
  },
  spin: async (_, { emit }) => {
    emit('begun');
    await wait(20);
    for (;;);
  },
  crash: async () => process.abort(),
  exit: async (code: number) => process.exit(code),
  fail: async () => {
    throw new AppError('audio_too_long', 'Too long.', { param: 'file', retryAfterSeconds: 3 });
  },
  blunder: async () => {
    throw new TypeError('a programmer erred');
  },
  uncloneable: async () => () => 'a function cannot be cloned',
  print: async (text: string) => {
    process.stdout.write(`${text} to stdout\n`);
    process.stderr.write(`${text} to stderr\n`);
  },
};

async function load(spec: LoadSpec): Promise<LoadedModel> {
  const options = spec.options as TestModelOptions;
  if (options.journal !== undefined) appendFileSync(options.journal, `${spec.model} ${process.pid}\n`);
  await wait(options.loadMs ?? 0);
  if (options.onLoad === 'fail') throw new AppError('unsupported_model', 'These are no weights.');
  if (options.onLoad === 'crash') process.abort();
  if (options.onLoad === 'hang') await new Promise(() => {});
  const memory = Buffer.alloc(options.allocateBytes ?? 1, 1);
  return {
    call: async (method, input, context) => METHODS[method]!(input as never, context),
    close: async () => {
      // Keeps the memory until here, and blocks the loop where a test wants a process that does not end.
      while (options.onClose === 'hang' && memory.length > 0);
    },
  };
}

serveModel({ whisper: async () => ({ load }) });
