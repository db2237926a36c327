/** The thread that works schemas out, one task at a time. */
import { Worker } from 'node:worker_threads';
import { AppError, type WireError } from '../../base/errors.ts';
import type { CompiledSchema, CompileOptions } from './compile-schema.ts';
import { unsupported } from './refusal.ts';
import type { Problem } from './validate-value.ts';

/** JSON goes as text: what the thread reads is what was sent, whatever names the members have. */
export type SchemaTask =
  | { readonly kind: 'compile'; readonly schema: string; readonly options: CompileOptions }
  | { readonly kind: 'validate'; readonly schema: string; readonly value: string };

export interface SchemaAnswer {
  readonly compiled?: CompiledSchema;
  readonly problem?: Problem | undefined;
  readonly error?: WireError;
}

export interface SchemaThread {
  hasEnded(): boolean;
  /** Throws `unsupported_schema` when the time has passed or the thread has ended; it is of no more use then. */
  answer(task: SchemaTask, timeoutMs: number): Promise<SchemaAnswer>;
  end(): Promise<void>;
}

/** What a schema within the limits takes is some tens of these. */
const MAX_MEGABYTES = 512;

/** Ready when it resolves, so that the limit of the first task does not count the start. */
export async function startThread(): Promise<SchemaThread> {
  const worker = new Worker(new URL('./schema-worker.js', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: MAX_MEGABYTES },
  });
  let hasEnded = false;
  /** Of the one answer that is awaited. */
  let awaiting: { resolve(answer: SchemaAnswer): void; reject(error: unknown): void } | undefined;
  const fail = (cause: unknown) => {
    hasEnded = true;
    const { code, message } = unsupported('', 'it takes too much memory to work out');
    awaiting?.reject(new AppError(code, message, { cause }));
  };
  worker.on('message', (answer: SchemaAnswer) => awaiting?.resolve(answer));
  worker.on('error', fail);
  worker.on('exit', fail);
  /** The thread keeps the process running only while an answer is awaited. */
  async function nextAnswer(): Promise<SchemaAnswer> {
    worker.ref();
    try {
      return await new Promise((resolve, reject) => {
        awaiting = { resolve, reject };
      });
    } finally {
      awaiting = undefined;
      worker.unref();
    }
  }

  await nextAnswer();
  return {
    hasEnded: () => hasEnded,
    async answer(task, timeoutMs) {
      const answer = nextAnswer();
      const late = () =>
        awaiting?.reject(unsupported('', `it takes longer than ${timeoutMs} ms to work out`));
      const timer = setTimeout(late, timeoutMs);
      worker.postMessage(task);
      try {
        return await answer;
      } finally {
        clearTimeout(timer);
      }
    },
    async end() {
      await worker.terminate();
    },
  };
}
