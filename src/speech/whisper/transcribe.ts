/** From sound to a transcript: speech spans, windows, language, text in batches, segments in order. */
import type { Sound } from '../../audio/sound.ts';
import type { WhisperBackend } from '../../backends/contract.ts';
import { type SpeechDetector, VAD_FRAME_SAMPLES } from '../silero.ts';
import type { Stopwatch } from '../stopwatch.ts';
import type { Segment, TranscribeEvent, TranscribeOptions, Transcript } from '../transcript.ts';
import { type Span, speechSpans } from '../voice-activity.ts';
import type { Batcher, Listener, Recogniser } from './batcher.ts';
import { SAMPLE_RATE } from './mel.ts';
import { checkLanguageAndTask } from './prompt.ts';
import { type Recognised, recognise } from './recognise.ts';
import { windowSegments } from './window-segments.ts';
import { gatherOpening, halves, packSpans, type Window } from './windows.ts';

export interface WhisperModel {
  readonly name: string;
  readonly recogniser: Recogniser;
  readonly batcher: Batcher;
  readonly detector: SpeechDetector;
}

export interface TranscribeContext {
  readonly options: TranscribeOptions;
  readonly stopwatch: Stopwatch;
  readonly signal: AbortSignal;
  emit(event: TranscribeEvent): void;
}

/** Batches' worth of windows that wait at once: one is decoded, one encoded, and one gathers. */
const LOOKAHEAD_BATCHES = 3;
/** Speech that a text leaves unheard at the end of its window is heard again when it is longer than this. */
const UNHEARD_SECONDS = 2;
/** A previous text decoded above this temperature is not passed on (openai/whisper transcribe.py). */
const UNRELIABLE_TEMPERATURE = 0.5;

/** Throws `invalid_request` for a language or task the model lacks, and the signal's error when it fires. */
export async function transcribe(
  sound: Sound,
  model: WhisperModel,
  asked: TranscribeContext,
): Promise<Transcript> {
  const context = { ...asked, options: fittedTo(model.recogniser.backend, asked.options) };
  const { options, stopwatch, emit } = context;
  const durationSeconds = sound.length / SAMPLE_RATE;
  checkLanguageAndTask(model.recogniser.tokens, {
    language: options.language,
    task: options.task,
    model: model.name,
  });
  emit({ type: 'started', durationSeconds });

  const run = new Run(sound, model, context);
  if (options.vad.enabled) await run.windows(findSpeech(sound, model.detector, context));
  else await run.consecutive();

  emit({ type: 'progress', doneSeconds: durationSeconds });
  return {
    model: model.name,
    task: options.task,
    language: run.listener.language?.code ?? 'en',
    languageProbability: run.listener.language?.probability ?? 0,
    durationSeconds,
    text: run.segments
      .map((segment) => segment.text)
      .join('')
      .trim(),
    segments: run.segments,
    speechRatio: sound.length === 0 ? 0 : run.speechSamples / sound.length,
    timings: stopwatch.read(),
  };
}

/** No longer speech in a window than the decoder has room for. */
function fittedTo({ maxSpeechSeconds }: WhisperBackend, options: TranscribeOptions): TranscribeOptions {
  const { vad } = options;
  return {
    ...options,
    vad: { ...vad, maxSpeechSeconds: Math.min(vad.maxSpeechSeconds, maxSpeechSeconds) },
  };
}

/** Listens only as far ahead as the spans that are asked for need. */
function findSpeech(
  sound: Sound,
  detector: SpeechDetector,
  { options, stopwatch, signal }: TranscribeContext,
): AsyncGenerator<Span> {
  const clock = { frameSamples: VAD_FRAME_SAMPLES, sampleRate: SAMPLE_RATE, totalSamples: sound.length };
  const blocks = stopwatch.measureEach('voiceActivity', detector.probabilities(sound, signal));
  return speechSpans(blocks, clock, options.vad);
}

/** A window whose text is on its way. */
interface Pending {
  readonly window: Window;
  readonly heard: Promise<Recognised>;
}

/** One transcription under way. */
class Run {
  readonly segments: Segment[] = [];
  readonly listener: Listener;
  /** How much of the recording was taken for speech so far. */
  speechSamples = 0;
  readonly #model: WhisperModel;
  readonly #context: TranscribeContext;
  /** In the order of the recording. */
  readonly #pending: Pending[] = [];
  #isLanguageTold = false;
  /** The caller's prompt, then the text so far when it is passed on, in tokens. */
  #previous: readonly number[];

  constructor(sound: Sound, model: WhisperModel, context: TranscribeContext) {
    this.#model = model;
    this.#context = context;
    const { stopwatch, signal, options } = context;
    const { language, prompt, task, batchSize, wordTimestamps } = options;
    this.listener = {
      sound,
      task,
      batchSize,
      wordTimestamps,
      stopwatch,
      signal,
      language: language === undefined ? undefined : { code: language, probability: 1 },
    };
    this.#previous = prompt === undefined ? [] : model.recogniser.tokenizer.encode(` ${prompt.trim()}`);
  }

  /**
   * Windows around the spans; segments come in the order of the recording. The first is decoded alone, so that the first text comes early,
   * while a batch behind it is encoded; then ever more wait, so that batches fill.
   */
  async windows(spans: AsyncIterable<Span>): Promise<void> {
    const { batchSize, conditionOnPreviousText, vad } = this.#context.options;
    const most = conditionOnPreviousText ? 1 : batchSize * LOOKAHEAD_BATCHES;
    let kept = 0;
    for await (const windows of gatherOpening(packSpans(this.#counted(spans), vad.maxSpeechSeconds))) {
      const first = await this.#findLanguage(windows);
      for (const window of windows) {
        this.#pending.push(window === first?.window ? first : this.#begin(window));
        for (; this.#pending.length >= Math.min(1 + batchSize + 4 * kept, most); kept += 1)
          await this.#keepNext();
      }
    }
    while (this.#pending.length > 0) await this.#keepNext();
  }

  /** Without VAD: the longest windows from the beginning to the end; each begins where the text before says that it ended. */
  async consecutive(): Promise<void> {
    const { length } = this.listener.sound;
    const longest = Math.floor(this.#model.recogniser.backend.maxSpeechSeconds * SAMPLE_RATE);
    this.speechSamples = length;
    let start = 0;
    while (start < length) {
      const window = { start, end: Math.min(length, start + longest) };
      const result = await this.#begin(window).heard;
      if (result.isFull) await this.#keepHalves(window);
      const heard = result.isFull ? window.end : this.#add(window, result);
      start = window.end === length || heard <= start ? window.end : heard;
    }
  }

  async *#counted(spans: AsyncIterable<Span>): AsyncGenerator<Span> {
    for await (const span of spans) {
      this.speechSamples += span.end - span.start;
      yield span;
    }
  }

  /** The window with most to hear chooses the language of the recording, unless it is known. */
  async #findLanguage(windows: readonly Window[]): Promise<Pending | undefined> {
    if (this.listener.language !== undefined) return undefined;
    const pending = this.#begin(
      windows.reduce((best, one) => (one.end - one.start > best.end - best.start ? one : best)),
    );
    await pending.heard;
    return pending;
  }

  #begin(window: Window): Pending {
    const { recogniser, batcher } = this.#model;
    const { options } = this.#context;
    const [listener, previous] = [this.listener, this.#previous];
    const heard = recognise(window, { batcher, recogniser, listener, previous, options });
    // Until its turn comes nobody waits for it, and by then another window may have failed.
    heard.catch(() => {});
    return { window, heard };
  }

  async #keepNext(): Promise<void> {
    const { window, heard } = this.#pending.shift()!;
    await this.#keep(window, await heard);
  }

  /** Adds a window's segments; speech that its text does not reach is heard in a window of its own. */
  async #keep(window: Window, result: Recognised): Promise<void> {
    if (result.isFull) return this.#keepHalves(window);
    const heard = this.#add(window, result);
    if (heard <= window.start || window.end - heard < UNHEARD_SECONDS * SAMPLE_RATE || result.isSilent)
      return;
    const rest = { start: heard, end: window.end };
    await this.#keep(rest, await this.#begin(rest).heard);
  }

  async #keepHalves(window: Window): Promise<void> {
    for (const half of halves(window, this.listener.sound))
      await this.#keep(half, await this.#begin(half).heard);
  }

  /** Adds a window's segments and gives the sample up to which its text goes. */
  #add(window: Window, result: Recognised): number {
    const { emit, options } = this.#context;
    const { tokenizer, tokens } = this.#model.recogniser;
    this.#tellLanguage();
    const { segments, heard } = windowSegments(window, result, {
      tokens,
      tokenizer,
      // A translation is in English, whatever was spoken.
      language: options.task === 'translate' ? 'en' : this.listener.language!.code,
      durationSeconds: this.listener.sound.length / SAMPLE_RATE,
      spokenUntilSeconds: this.segments.at(-1)?.endSeconds ?? 0,
    });
    for (const found of segments) {
      const segment: Segment = { id: this.segments.length, ...found };
      this.segments.push(segment);
      emit({ type: 'segment', segment });
    }
    if (options.conditionOnPreviousText && !result.isSilent) this.#remember(result);
    emit({ type: 'progress', doneSeconds: window.end / SAMPLE_RATE });
    return heard;
  }

  #tellLanguage(): void {
    const { language } = this.listener;
    if (this.#isLanguageTold || language === undefined) return;
    this.#isLanguageTold = true;
    if (this.#context.options.language !== undefined) return;
    this.#context.emit({ type: 'language', language: language.code, probability: language.probability });
  }

  #remember(result: Recognised): void {
    const words = result.tokens.filter((token) => token < this.#model.recogniser.tokens.endOfText);
    this.#previous = result.temperature > UNRELIABLE_TEMPERATURE ? [] : [...this.#previous, ...words];
  }
}
