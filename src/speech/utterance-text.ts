/** From the utterances of a live session to their texts: whole utterances first, in order, and between them what is certain of the open one. */
import { SAMPLE_RATE } from '../audio/pcm.ts';
import { abortError, throwIfAborted } from '../base/abort.ts';
import { AppError, toWireError } from '../base/errors.ts';
import { type Agreement, createAgreement } from './agreement.ts';
import type { LiveEvent } from './live.ts';
import type { TranscribeOptions } from './transcript.ts';
import type { OpenUtterance, Utterance } from './utterance-listener.ts';

export interface RecogniseRequest {
  readonly options: TranscribeOptions;
  /** A quick hearing of an utterance that goes on. */
  readonly isPartial: boolean;
  /** The samples are one stretch of speech, short enough to be heard at once. */
  readonly isSpeech: boolean;
  readonly signal: AbortSignal;
}

export interface UtteranceTextParts {
  /** Gives the text, without space around it. */
  recognise(samples: Float32Array, request: RecogniseRequest): Promise<string>;
  /** Whether a hearing would begin at once. */
  isFree(): boolean;
  openUtterance(): OpenUtterance | undefined;
  emit(event: LiveEvent): void;
  readonly signal: AbortSignal;
  /** Milliseconds of any clock that only goes forward. */
  readonly now?: () => number;
}

/** An open utterance is heard again after so much more of it, when the model is free. */
const PARTIAL_SAMPLES = SAMPLE_RATE;
/** Sound of complete utterances that may wait for its text; until then nothing more is listened to. */
const MAX_WAITING_SAMPLES = 30 * SAMPLE_RATE;

export class UtteranceText {
  readonly #parts: UtteranceTextParts;
  /** Complete utterances, the first under way. */
  readonly #utterances: Utterance[] = [];
  #waitingSamples = 0;
  #isOver = false;
  /** What was said of the utterance that is heard next or open; others have nothing said of them yet. */
  #said: { readonly id: number; readonly agreement: Agreement; heardSamples: number } | undefined;
  /** Hearing an open utterance again must not take more than half of the time. */
  #partialAfterMs = 0;
  /** Ends the hearing of an open utterance, as its whole is to be heard. */
  #partial: AbortController | undefined;
  /** Wake whoever waits for a change. */
  #wakers: (() => void)[] = [];

  constructor(parts: UtteranceTextParts) {
    this.#parts = parts;
    const onAbort = () => {
      this.#partial?.abort();
      this.notify();
    };
    parts.signal.addEventListener('abort', onAbort, { once: true });
  }

  add(utterance: Utterance): void {
    this.#utterances.push(utterance);
    this.#waitingSamples += utterance.samples.length;
    this.#partial?.abort();
    this.notify();
  }

  /** To be called when the open utterance has grown, or what was said of it was dropped. */
  notify(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }

  /** No utterance follows. */
  end(): void {
    this.#isOver = true;
    this.notify();
  }

  /** Resolves when more may be listened to. */
  async room(): Promise<void> {
    while (this.#waitingSamples > MAX_WAITING_SAMPLES && !this.#parts.signal.aborted) await this.#change();
  }

  /** Resolves when every utterance has its text after `end`. Throws the signal's error, and what is a fault of ours. */
  async run(): Promise<void> {
    for (;;) {
      throwIfAborted(this.#parts.signal);
      const [utterance] = this.#utterances;
      const open = this.#parts.openUtterance();
      if (utterance !== undefined) await this.#hearWhole(utterance);
      else if (open !== undefined && this.#isPartialDue(open)) await this.#hearPart(open);
      else if (this.#isOver) return;
      else await this.#change();
    }
  }

  async #hearWhole(utterance: Utterance): Promise<void> {
    const { recognise, emit, signal } = this.#parts;
    const { id, samples, isSpeech, options } = utterance;
    try {
      const text = await recognise(samples, { options, isPartial: false, isSpeech, signal });
      const delta = this.#saidOf(id).agreement.finish(text);
      if (delta !== '') emit({ type: 'delta', utterance: id, text: delta });
      emit({ type: 'completed', utterance: id, text, seconds: samples.length / SAMPLE_RATE });
    } catch (error) {
      // What is wrong with one utterance or its settings costs that utterance; a fault of ours ends the session.
      if (signal.aborted || isFault(error)) throw error;
      emit({ type: 'failed', utterance: id, error: toWireError(error) });
    }
    this.#utterances.shift();
    this.#waitingSamples -= samples.length;
    this.notify();
  }

  #isPartialDue(open: OpenUtterance): boolean {
    const isLonger = open.length - this.#saidOf(open.id).heardSamples >= PARTIAL_SAMPLES;
    return isLonger && this.#now() >= this.#partialAfterMs && this.#parts.isFree();
  }

  async #hearPart(open: OpenUtterance): Promise<void> {
    const { recognise, emit, signal } = this.#parts;
    const said = this.#saidOf(open.id);
    const begun = this.#now();
    said.heardSamples = open.length;
    const partial = new AbortController();
    this.#partial = partial;
    try {
      const text = await recognise(open.samples(), {
        options: open.options,
        isPartial: true,
        isSpeech: true,
        signal: partial.signal,
      });
      const delta = said.agreement.hear(text);
      const isCurrent = !partial.signal.aborted && this.#parts.openUtterance()?.id === open.id;
      if (delta !== '' && isCurrent) emit({ type: 'delta', utterance: open.id, text: delta });
    } catch (error) {
      if (signal.aborted) throw abortError(signal);
      if (!partial.signal.aborted && isFault(error)) throw error;
    } finally {
      this.#partial = undefined;
      const ended = this.#now();
      this.#partialAfterMs = ended + (ended - begun);
    }
  }

  #saidOf(id: number) {
    if (this.#said?.id !== id) this.#said = { id, agreement: createAgreement(), heardSamples: 0 };
    return this.#said;
  }

  #now(): number {
    return this.#parts.now?.() ?? performance.now();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakers.push(resolve);
    });
  }
}

/** Neither the request nor the machine is to blame. */
function isFault(error: unknown): boolean {
  return !(error instanceof AppError) || error.code === 'internal';
}
