/** `percept transcribe --live -`: speech from a pipe, written down while it is spoken. */

import { MAX_SOURCE_RATE, MIN_SOURCE_RATE, SAMPLE_RATE } from '../audio/pcm.ts';
import { AppError } from '../base/errors.ts';
import { DEFAULT_DETECTION } from '../speech/utterance-detector.ts';
import type { CliContext } from './context.ts';
import { listenRemotely } from './listen-remotely.ts';
import { readLiveInput } from './live-input.ts';
import { createLivePrinter } from './live-printer.ts';
import { prepareModel } from './prepare-model.ts';

export interface LiveOptions {
  readonly model?: string;
  readonly language?: string;
  readonly prompt?: string;
  readonly json?: true;
  readonly server?: string;
  readonly apiKey?: string;
  /** Samples a second of raw sound. */
  readonly rate?: number;
}

/** How long after an interrupt the last words may still take. */
const LAST_WORDS_MS = 10_000;

export async function transcribeLive(
  files: readonly string[],
  options: LiveOptions,
  context: CliContext,
): Promise<void> {
  const rawSampleRate = checkUsage(files, options);
  const input = readLiveInput(context.stdin, { rawSampleRate, signal: context.signal });
  const onEvent = createLivePrinter(context, { isJson: options.json === true });
  const { model, language, prompt, server, apiKey } = options;
  const request = { model, language, prompt, sampleRate: SAMPLE_RATE };
  const work = delayed(context.signal);
  try {
    if (server !== undefined) {
      await listenRemotely(input, { server, apiKey, request, signal: work.signal, onEvent });
      return;
    }
    const app = context.openSpeech(context.loadConfig().config);
    try {
      await prepareModel(app.speech, model, { context, isQuiet: options.json === true });
      await app.speech.listen(
        input,
        { ...request, detection: DEFAULT_DETECTION },
        { signal: work.signal, onEvent },
      );
    } finally {
      await app.close({ timeoutMs: 0 });
    }
  } finally {
    context.stdin.destroy();
    work.dispose();
  }
}

/** Gives the rate of raw sound. Throws `usage`. */
function checkUsage(files: readonly string[], { rate = SAMPLE_RATE }: LiveOptions): number {
  if (files.length !== 1 || files[0] !== '-') {
    throw new AppError(
      'usage',
      '--live listens to standard input, which is written "-": arecord -f S16_LE -r 16000 | percept transcribe --live -',
    );
  }
  if (Number.isInteger(rate) && rate >= MIN_SOURCE_RATE && rate <= MAX_SOURCE_RATE) return rate;
  throw new AppError(
    'usage',
    `--rate is ${rate}; expected samples a second, ${MIN_SOURCE_RATE} to ${MAX_SOURCE_RATE}.`,
  );
}

/** The first interrupt ends the sound, and what was said is still written down. */
function delayed(signal: AbortSignal): { readonly signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = () => {
    timer = setTimeout(() => controller.abort(signal.reason), LAST_WORDS_MS);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    dispose() {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    },
  };
}
