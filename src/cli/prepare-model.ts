import type { PreparingSpeechService } from '../speech/create-service.ts';
import type { CliContext } from './context.ts';
import { PullProgressBars } from './pull.ts';

/** Installs and converts a speech model if it is not there yet, telling so. Gives its full name. */
export async function prepareModel(
  speech: PreparingSpeechService,
  name: string | undefined,
  { context, isQuiet }: { context: CliContext; isQuiet: boolean },
): Promise<string> {
  if (isQuiet) return speech.prepare(name, { signal: context.signal });
  const bars = new PullProgressBars(context);
  try {
    return await speech.prepare(name, {
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
