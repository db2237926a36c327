import type { PullProgress } from '../store/pull.ts';
import type { CliContext } from './context.ts';
import { PullProgressBars } from './pull.ts';

interface Preparing<T> {
  prepare(
    name: string | undefined,
    options: {
      readonly signal: AbortSignal;
      readonly onProgress?: (progress: PullProgress) => void;
      readonly onConvert?: () => void;
    },
  ): Promise<T>;
}

/** Installs and converts a model if it is not there yet, telling so. Gives what its service says of it. */
export async function prepareModel<T>(
  service: Preparing<T>,
  name: string | undefined,
  { context, isQuiet }: { context: CliContext; isQuiet: boolean },
): Promise<T> {
  if (isQuiet) return service.prepare(name, { signal: context.signal });
  const bars = new PullProgressBars(context);
  try {
    return await service.prepare(name, {
      signal: context.signal,
      onProgress: (event) => bars.show(event),
      onConvert: () => {
        bars.end();
        context.stderr.write('Preparing the model for this machine; this happens once.\n');
      },
    });
  } finally {
    bars.end();
  }
}
