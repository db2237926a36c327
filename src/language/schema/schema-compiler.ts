/**
 * Schemas compiled and results validated in a thread of its own, with a limit on the time: schemas, and the patterns in them, come from
 * clients. The thread gets one task after the other; one that takes too long, or too much memory, ends it, and the next task gets a
 * new one.
 */
import { AppError, fromWireError } from '../../base/errors.ts';
import type { CompiledSchema, CompileOptions } from './compile-schema.ts';
import { createRecent } from './recent.ts';
import { unsupported } from './refusal.ts';
import { type SchemaAnswer, type SchemaTask, type SchemaThread, startThread } from './schema-thread.ts';
import type { Problem } from './validate-value.ts';

export interface SchemaCompiler {
  /** Throws `AppError` `unsupported_schema` or `invalid_schema`, also where the limits are passed; `cancelled` by the signal. */
  compile(schema: unknown, options?: TaskOptions): Promise<CompiledSchema>;
  /** Undefined for a value that is what the schema asks. */
  validate(
    schema: unknown,
    value: unknown,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Problem | undefined>;
  /** Tasks that wait are refused. */
  close(): Promise<void>;
}

export interface TaskOptions extends CompileOptions {
  readonly signal?: AbortSignal;
}

export interface SchemaCompilerOptions {
  /** For one task, from when the thread begins with it. */
  readonly timeoutMs: number;
  /** Compiled schemas that are kept. */
  readonly kept?: number;
}

interface Waiting {
  readonly task: SchemaTask;
  resolve(answer: SchemaAnswer): void;
  reject(error: unknown): void;
}

const KEPT = 100;
/** Characters of a schema's text. */
const MAX_SCHEMA_CHARACTERS = 2_000_000;

export function createSchemaCompiler({ timeoutMs, kept = KEPT }: SchemaCompilerOptions): SchemaCompiler {
  const recent = createRecent<CompiledSchema>(kept);
  const waiting: Waiting[] = [];
  let thread: SchemaThread | undefined;
  let isWorking = false;
  let isClosed = false;

  /** Until nothing waits; `isWorking` keeps it to one at a time. */
  async function work(): Promise<void> {
    if (isWorking) return;
    isWorking = true;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      try {
        if (thread === undefined || thread.hasEnded()) thread = await startThread();
        if (isClosed) throw closedError();
        next.resolve(await thread.answer(next.task, timeoutMs));
      } catch (thrown) {
        next.reject(isClosed ? closedError() : thrown);
        await endThread();
      }
    }
    isWorking = false;
    if (isClosed) await endThread();
  }

  async function endThread(): Promise<void> {
    const ended = thread;
    thread = undefined;
    await ended?.end();
  }

  async function ask(task: SchemaTask, signal: AbortSignal | undefined): Promise<SchemaAnswer> {
    if (isClosed) throw closedError();
    if (signal?.aborted) throw cancelledError();
    if (task.schema.length > MAX_SCHEMA_CHARACTERS) {
      throw unsupported('', `its text has more than ${MAX_SCHEMA_CHARACTERS} characters`);
    }
    let cancel = () => {};
    const asked = new Promise<SchemaAnswer>((resolve, reject) => {
      const entry: Waiting = { task, resolve, reject };
      cancel = () => {
        // A task that has begun goes on until its limit; nobody waits for it.
        const place = waiting.indexOf(entry);
        if (place >= 0) waiting.splice(place, 1);
        reject(cancelledError());
      };
      waiting.push(entry);
    });
    signal?.addEventListener('abort', cancel);
    void work();
    const answer = await asked.finally(() => signal?.removeEventListener('abort', cancel));
    if (answer.error !== undefined) throw fromWireError(answer.error);
    return answer;
  }

  return {
    async compile(schema, { signal, ...options } = {}) {
      // Not sorted by name: the order of the properties is the order in which they are written.
      const text = JSON.stringify(schema);
      const key = `${JSON.stringify(options)} ${text}`;
      const known = recent.get(key);
      if (known !== undefined) return known;
      const { compiled } = await ask({ kind: 'compile', schema: text, options }, signal);
      return recent.set(key, compiled!);
    },
    async validate(schema, value, { signal } = {}) {
      const task: SchemaTask = {
        kind: 'validate',
        schema: JSON.stringify(schema),
        value: JSON.stringify(value),
      };
      return (await ask(task, signal)).problem;
    },
    async close() {
      isClosed = true;
      for (const { reject } of waiting.splice(0)) reject(closedError());
      await endThread();
    },
  };
}

function cancelledError(): AppError {
  return new AppError('cancelled', 'The request was cancelled.');
}

function closedError(): AppError {
  return new AppError('shutting_down', 'The server is stopping.');
}
