/** llama.cpp through node-llama-cpp: the only file that knows the library. */
import type {
  Llama,
  LlamaContextSequence,
  LlamaGrammar,
  LlamaModel,
  SequenceEvaluateOptions,
  Token,
} from 'node-llama-cpp';
import { abortError, throwIfAborted } from '../base/abort.ts';
import { AppError } from '../base/errors.ts';
import type { TextContext, TextModel, TextRequest, TextResult } from './text-model.ts';
import { createPieces } from './text-pieces.ts';

export interface LlamaOptions {
  readonly threads: number;
  /** Of one sequence; no more than the model was trained for is used. */
  readonly contextTokens: number;
  /** Requests that run abreast. */
  readonly sequences: number;
  /** `auto`: where a build for it is installed; `off`: never. */
  readonly gpu: 'auto' | 'off';
}

/** Tokens of a prompt that are read between two looks at the signal. */
const PROMPT_TOKENS_AT_ONCE = 256;
/** Grammars that are kept: clients ask with the same schema again and again. */
const KEPT_GRAMMARS = 32;

/** Throws `not_runnable` where there is no build for this machine, and `model_failed`. */
export async function openLlama(path: string, options: LlamaOptions): Promise<TextModel> {
  const library = await importLibrary();
  const llama = await start(library, options);
  try {
    const model = await llama.loadModel({ modelPath: path });
    const contextTokens = Math.min(options.contextTokens, model.trainContextSize);
    const context = await model.createContext({
      contextSize: contextTokens,
      sequences: options.sequences,
      threads: options.threads,
    });
    const slots = createSlots(Array.from({ length: options.sequences }, () => context.getSequence()));
    const grammars = createGrammars(llama);
    return {
      contextTokens,
      tokenize: (text) => model.tokenize(text, true),
      beginningText: model.tokens.bosString ?? '',
      endText: model.tokens.eosString ?? '',
      async generate(request, text) {
        const grammar = request.grammar === undefined ? undefined : await grammars(request.grammar);
        const grammarState = grammar && new library.LlamaGrammarEvaluationState({ model, grammar });
        const slot = await slots.take(request.tokens as Token[], text.signal);
        try {
          return await run({ sequence: slot.sequence, model }, request, { ...text, grammarState });
        } finally {
          slot.release();
        }
      },
      async close() {
        await context.dispose();
        await model.dispose();
        await llama.dispose();
      },
    };
  } catch (cause) {
    throw failed(path, cause);
  }
}

interface Running {
  readonly sequence: LlamaContextSequence;
  readonly model: LlamaModel;
}

async function run(
  { sequence, model }: Running,
  { tokens, maxTokens, sampling, seed }: TextRequest,
  {
    signal,
    onText,
    grammarState,
  }: TextContext & {
    readonly grammarState: SequenceEvaluateOptions['grammarEvaluationState'] | undefined;
  },
): Promise<TextResult> {
  const prompt = tokens as Token[];
  await sequence.adaptStateToTokens(prompt.slice(0, -1), false);
  const cachedTokens = sequence.nextTokenIndex;
  await readPrompt(sequence, prompt.slice(cachedTokens, -1), signal);
  const written: Token[] = [];
  const pieces = createPieces((some, before) => model.detokenize(some as Token[], true, before as Token[]));
  const options: SequenceEvaluateOptions = {
    temperature: sampling.temperature,
    topP: sampling.topP,
    topK: sampling.topK,
    minP: sampling.minP,
    seed,
    ...(grammarState === undefined ? {} : { grammarEvaluationState: grammarState }),
    ...(punishes(sampling)
      ? {
          repeatPenalty: {
            punishTokens: () => written,
            penalty: sampling.repeatPenalty,
            frequencyPenalty: sampling.frequencyPenalty,
            presencePenalty: sampling.presencePenalty,
          },
        }
      : {}),
  };
  let reason: TextResult['reason'] = 'end';
  for await (const token of sequence.evaluate(prompt.slice(-1), options)) {
    throwIfAborted(signal);
    written.push(token);
    if (onText(pieces.push(token))) break;
    if (written.length >= maxTokens) {
      reason = 'length';
      break;
    }
  }
  onText(pieces.end());
  return { reason, completionTokens: written.length, cachedTokens };
}

/** All but the last token, which the first of the answer follows from. */
async function readPrompt(
  sequence: LlamaContextSequence,
  tokens: readonly Token[],
  signal: AbortSignal,
): Promise<void> {
  for (let at = 0; at < tokens.length; at += PROMPT_TOKENS_AT_ONCE) {
    throwIfAborted(signal);
    await sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(at, at + PROMPT_TOKENS_AT_ONCE));
  }
}

function punishes({ repeatPenalty, frequencyPenalty, presencePenalty }: TextRequest['sampling']): boolean {
  return repeatPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0;
}

interface Slot {
  readonly sequence: LlamaContextSequence;
  release(): void;
}

/** Sequences for those who ask, in turn; each gets the one that remembers most of its prompt. */
function createSlots(sequences: readonly LlamaContextSequence[]) {
  const free = new Set(sequences);
  const waiting: ((sequence: LlamaContextSequence) => void)[] = [];
  const slotOf = (sequence: LlamaContextSequence): Slot => ({
    sequence,
    release() {
      const next = waiting.shift();
      if (next === undefined) free.add(sequence);
      else next(sequence);
    },
  });
  return {
    async take(tokens: Token[], signal: AbortSignal): Promise<Slot> {
      throwIfAborted(signal);
      const remembered = (sequence: LlamaContextSequence) =>
        sequence.compareContextTokens(tokens).firstDifferentIndex;
      const [first, ...others] = free;
      if (first !== undefined) {
        const best = others.reduce((a, b) => (remembered(b) > remembered(a) ? b : a), first);
        free.delete(best);
        return slotOf(best);
      }
      return new Promise((resolve, reject) => {
        const onTurn = (sequence: LlamaContextSequence) => {
          signal.removeEventListener('abort', onAbort);
          resolve(slotOf(sequence));
        };
        const onAbort = () => {
          waiting.splice(waiting.indexOf(onTurn), 1);
          reject(abortError(signal));
        };
        waiting.push(onTurn);
        signal.addEventListener('abort', onAbort, { once: true });
      });
    },
  };
}

function createGrammars(llama: Llama): (text: string) => Promise<LlamaGrammar> {
  const kept = new Map<string, LlamaGrammar>();
  return async (text) => {
    let grammar = kept.get(text);
    if (grammar === undefined) {
      grammar = await llama.createGrammar({ grammar: text }).catch((cause: unknown) => {
        throw new AppError('invalid_request', 'llama.cpp could not read the grammar made of the schema.', {
          cause,
        });
      });
    }
    // The one that was asked for last is at the end.
    kept.delete(text);
    kept.set(text, grammar);
    if (kept.size > KEPT_GRAMMARS) kept.delete(kept.keys().next().value!);
    return grammar;
  };
}

async function start(
  { getLlama, LlamaLogLevel }: Awaited<ReturnType<typeof importLibrary>>,
  { threads, gpu }: LlamaOptions,
): Promise<Llama> {
  try {
    return await getLlama({
      gpu: gpu === 'off' ? false : 'auto',
      // Nothing is compiled or fetched: what npm has installed, or nothing.
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      maxThreads: threads,
      logLevel: LlamaLogLevel.error,
    });
  } catch (cause) {
    throw notRunnable(cause);
  }
}

/** Imported at first use: it takes a quarter of a second, and only model processes need it. */
async function importLibrary(): Promise<typeof import('node-llama-cpp')> {
  try {
    return await import('node-llama-cpp');
  } catch (cause) {
    throw notRunnable(cause);
  }
}

function notRunnable(cause: unknown): AppError {
  return new AppError(
    'not_runnable',
    `llama.cpp does not run on this machine (${process.platform} ${process.arch}). It ships for Linux (glibc) and macOS on x64 and arm64, and for Windows. ` +
      'Take an external language server instead (language.engine), or see docs/operations.md.',
    { cause },
  );
}

function failed(path: string, cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AppError('model_failed', `llama.cpp could not load ${path}: ${reason}`, { cause });
}
