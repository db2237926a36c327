/** Runs `convert-process.ts` and waits for its end. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { abortError, throwIfAborted } from './base/abort.ts';
import { AppError, fromWireError, type WireError } from './base/errors.ts';
import type { Environment } from './config/environment.ts';

export interface ConversionOptions {
  readonly kind: string;
  readonly computeType: string;
  readonly signal: AbortSignal | undefined;
  readonly env: Environment;
}

/** Throws `unsupported_model`, `disk_full`, `model_failed` when the process dies, and the signal's error. */
export async function convertInProcess(
  source: string,
  target: string,
  options: ConversionOptions,
): Promise<void> {
  const { kind, computeType, signal, env } = options;
  throwIfAborted(signal);
  const child = fork(
    fileURLToPath(new URL('./convert-process.js', import.meta.url)),
    [kind, source, target, computeType],
    {
      serialization: 'advanced',
      execArgv: [],
      env,
    },
  );
  await new Promise<void>((resolve, reject) => {
    let answer: { error?: WireError } | undefined;
    const onAbort = () => child.kill('SIGKILL');
    signal?.addEventListener('abort', onAbort, { once: true });
    child.once('message', (message) => {
      answer = message as { error?: WireError };
    });
    child.once('error', reject);
    child.once('exit', (code, killedBy) => {
      signal?.removeEventListener('abort', onAbort);
      if (signal?.aborted) reject(abortError(signal));
      else if (answer?.error !== undefined) reject(fromWireError(answer.error));
      else if (answer !== undefined) resolve();
      else {
        const how = killedBy === null ? `with code ${code}` : `by ${killedBy}`;
        reject(
          new AppError(
            'model_failed',
            `The conversion of ${source} was ended ${how}; it may have run out of memory.`,
          ),
        );
      }
    });
  });
}
