import { toAppError } from '../base/errors.ts';
import type { CliContext } from './context.ts';

/** Runs `work` for each file, one after the other. One that fails is told of, and the others go on; then the command has failed. */
export async function eachImage(
  files: readonly string[],
  { context, json }: { readonly context: CliContext; readonly json: boolean },
  work: (file: string) => Promise<void>,
): Promise<void> {
  for (const file of files) {
    try {
      await work(file);
    } catch (thrown) {
      if (context.signal.aborted) throw thrown;
      const { code, message } = toAppError(thrown);
      if (json) context.stdout.write(`${JSON.stringify({ file, error: { code, message } })}\n`);
      else context.stderr.write(`percept: ${file}: ${message}\n`);
      context.fail();
    }
  }
}
