/** From the turns of a live session to their texts: whole turns first, in order, and between them what is certain of the open one. */
import { SAMPLE_RATE } from '../audio/pcm.ts';
import { abortError, throwIfAborted } from '../base/abort.ts';
import { AppError, toWireError } from '../base/errors.ts';
import { type Agreement, createAgreement } from './agreement.ts';
import type { LiveEvent } from './live.ts';
import type { TranscribeOptions } from './transcript.ts';
import type { OpenTurn, Turn } from './turn-listener.ts';

export interface RecogniseRequest {
  readonly options: TranscribeOptions;
  /** A quick hearing of a turn that goes on. */
  readonly isPartial: boolean;
  /** The samples are one stretch of speech, short enough to be heard at once. */
  readonly isSpeech: boolean;
  readonly signal: AbortSignal;
}

export interface TurnTextParts {
  /** Gives the text, without space around it. */
  recognise(samples: Float32Array, request: RecogniseRequest): Promise<string>;
  /** Whether a hearing would begin at once. */
  isFree(): boolean;
  openTurn(): OpenTurn | undefined;
  emit(event: LiveEvent): void;
  readonly signal: AbortSignal;
  /** Milliseconds of any clock that only goes forward. */
  readonly now?: () => number;
}

/** An open turn is heard again after so much more of it, when the model is free. */
const PARTIAL_SAMPLES = SAMPLE_RATE;
/** Sound of complete turns that may wait for its text; until then nothing more is listened to. */
const MAX_WAITING_SAMPLES = 30 * SAMPLE_RATE;

export class TurnText {
  readonly #parts: TurnTextParts;
  /** Complete turns, the first under way. */
  readonly #turns: Turn[] = [];
  #waitingSamples = 0;
  #isOver = false;
  /** What was said of the turn that is heard next or open; others have nothing said of them yet. */
  #said: { readonly id: number; readonly agreement: Agreement; heardSamples: number } | undefined;
  /** Hearing an open turn again must not take more than half of the time. */
  #partialAfterMs = 0;
  /** Ends the hearing of an open turn, as its whole is to be heard. */
  #partial: AbortController | undefined;
  /** Wake whoever waits for a change. */
  #wakers: (() => void)[] = [];

  constructor(parts: TurnTextParts) {
    this.#parts = parts;
    const onAbort = () => {
      this.#partial?.abort();
      this.notify();
    };
    parts.signal.addEventListener('abort', onAbort, { once: true });
  }

  add(turn: Turn): void {
    this.#turns.push(turn);
    this.#waitingSamples += turn.samples.length;
    this.#partial?.abort();
    this.notify();
  }

  /** To be called when the open turn has grown, or what was said of it was dropped. */
  notify(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }

  /** No turn follows. */
  end(): void {
    this.#isOver = true;
    this.notify();
  }

  /** Resolves when more may be listened to. */
  async room(): Promise<void> {
    while (this.#waitingSamples > MAX_WAITING_SAMPLES && !this.#parts.signal.aborted) await this.#change();
  }

  /** Resolves when every turn has its text after `end`. Throws the signal's error, and what is a fault of ours. */
  async run(): Promise<void> {
    for (;;) {
      throwIfAborted(this.#parts.signal);
      const [turn] = this.#turns;
      const open = this.#parts.openTurn();
      if (turn !== undefined) await this.#hearWhole(turn);
      else if (open !== undefined && this.#isPartialDue(open)) await this.#hearPart(open);
      else if (this.#isOver) return;
      else await this.#change();
    }
  }

  async #hearWhole(turn: Turn): Promise<void> {
    const { recognise, emit, signal } = this.#parts;
    const { id, samples, isSpeech, options } = turn;
    try {
      const text = await recognise(samples, { options, isPartial: false, isSpeech, signal });
      const delta = this.#saidOf(id).agreement.finish(text);
      if (delta !== '') emit({ type: 'delta', turn: id, text: delta });
      emit({ type: 'completed', turn: id, text, seconds: samples.length / SAMPLE_RATE });
    } catch (error) {
      // What is wrong with one turn or its settings costs that turn; a fault of ours ends the session.
      if (signal.aborted || isFault(error)) throw error;
      emit({ type: 'failed', turn: id, error: toWireError(error) });
    }
    this.#turns.shift();
    this.#waitingSamples -= samples.length;
    this.notify();
  }

  #isPartialDue(open: OpenTurn): boolean {
    const isLonger = open.length - this.#saidOf(open.id).heardSamples >= PARTIAL_SAMPLES;
    return isLonger && this.#now() >= this.#partialAfterMs && this.#parts.isFree();
  }

  async #hearPart(open: OpenTurn): Promise<void> {
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
      const isCurrent = !partial.signal.aborted && this.#parts.openTurn()?.id === open.id;
      if (delta !== '' && isCurrent) emit({ type: 'delta', turn: open.id, text: delta });
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
