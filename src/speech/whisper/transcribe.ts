/** From samples to a transcript: speech spans, windows, language, text in batches, segments in order. */
import { throwIfAborted } from '../../base/abort.ts';
import { type SpeechDetector, VAD_FRAME_SAMPLES } from '../silero.ts';
import type { Segment, TranscribeEvent, TranscribeOptions, Transcript } from '../transcript.ts';
import { type Span, speechSpans } from '../voice-activity.ts';
import { type DetectedLanguage, detectLanguage } from './detect-language.ts';
import { SAMPLE_RATE } from './mel.ts';
import { buildPrompt, checkLanguageAndTask } from './prompt.ts';
import {
  encodeWindows,
  type RecogniseContext,
  type Recognised,
  type Recogniser,
  recognise,
} from './recognise.ts';
import type { Stopwatch } from './stopwatch.ts';
import { windowSegments } from './window-segments.ts';
import { framesFor, growingGroups, MAX_WINDOW_SAMPLES, packSpans, type Window } from './windows.ts';

export interface WhisperModel {
  readonly name: string;
  readonly recogniser: Recogniser;
  readonly detector: SpeechDetector;
}

export interface TranscribeContext {
  readonly options: TranscribeOptions;
  readonly stopwatch: Stopwatch;
  readonly signal: AbortSignal;
  emit(event: TranscribeEvent): void;
}

/** Windows looked at together, so that those of one length can share a batch; a multiple of the batch. */
const LOOKAHEAD_BATCHES = 2;
/** Speech that a text leaves unheard at the end of its window is heard again when it is longer than this. */
const UNHEARD_SECONDS = 2;
/** A previous text decoded above this temperature is not passed on (openai/whisper transcribe.py). */
const UNRELIABLE_TEMPERATURE = 0.5;

/** Throws `invalid_request` for a language or task the model lacks, and the signal's error when it fires. */
export async function transcribe(
  samples: Float32Array,
  model: WhisperModel,
  context: TranscribeContext,
): Promise<Transcript> {
  const { options, stopwatch, emit } = context;
  const durationSeconds = samples.length / SAMPLE_RATE;
  checkLanguageAndTask(model.recogniser.tokens, {
    language: options.language,
    task: options.task,
    model: model.name,
  });
  emit({ type: 'started', durationSeconds });

  const run = new Run(samples, model, context);
  if (options.vad.enabled) await run.windows(findSpeech(samples, model.detector, context));
  else await run.consecutive();

  emit({ type: 'progress', doneSeconds: durationSeconds });
  return {
    model: model.name,
    task: options.task,
    language: run.language?.code ?? 'en',
    languageProbability: run.language?.probability ?? 0,
    durationSeconds,
    text: run.segments
      .map((segment) => segment.text)
      .join('')
      .trim(),
    segments: run.segments,
    speechRatio: samples.length === 0 ? 0 : run.speechSamples / samples.length,
    timings: stopwatch.read(),
  };
}

/** Listens only as far ahead as the spans that are asked for need. */
function findSpeech(
  samples: Float32Array,
  detector: SpeechDetector,
  { options, stopwatch, signal }: TranscribeContext,
): AsyncGenerator<Span> {
  const clock = { frameSamples: VAD_FRAME_SAMPLES, sampleRate: SAMPLE_RATE, totalSamples: samples.length };
  const blocks = stopwatch.measureEach('voiceActivity', detector.probabilities(samples, signal));
  return speechSpans(blocks, clock, options.vad);
}

/** One transcription under way. */
class Run {
  readonly segments: Segment[] = [];
  /** Undefined until the first window with speech, unless the caller named it. */
  language: DetectedLanguage | undefined;
  /** How much of the recording was taken for speech so far. */
  speechSamples = 0;
  readonly #samples: Float32Array;
  readonly #model: WhisperModel;
  readonly #context: TranscribeContext;
  /** The caller's prompt, then the text so far when it is passed on. */
  #previous: number[];

  constructor(samples: Float32Array, model: WhisperModel, context: TranscribeContext) {
    this.#samples = samples;
    this.#model = model;
    this.#context = context;
    const { language, prompt } = context.options;
    if (language !== undefined) this.language = { code: language, probability: 1 };
    this.#previous = prompt === undefined ? [] : model.recogniser.tokenizer.encode(` ${prompt.trim()}`);
  }

  /** Windows around the spans, those of one length as a batch; segments come in the order of the recording. */
  async windows(spans: AsyncIterable<Span>): Promise<void> {
    const { batchSize, conditionOnPreviousText, vad } = this.#context.options;
    const batch = conditionOnPreviousText ? 1 : batchSize;
    const lookahead = conditionOnPreviousText ? 1 : batchSize * LOOKAHEAD_BATCHES;
    const windows = packSpans(this.#counted(spans), vad.maxSpeechSeconds);
    for await (const group of growingGroups(windows, lookahead)) await this.#group(group, batch);
  }

  async *#counted(spans: AsyncIterable<Span>): AsyncGenerator<Span> {
    for await (const span of spans) {
      this.speechSamples += span.end - span.start;
      yield span;
    }
  }

  async #group(group: readonly Window[], batchSize: number): Promise<void> {
    const heard = new Map<Window, Recognised>();
    let next = 0;
    const all = batches(group, this.#model.recogniser.backend.windowFrames, batchSize);
    // The batch that is heard first chooses the language: the one with most to hear.
    if (this.language === undefined) all.sort((a, b) => samplesIn(b.members) - samplesIn(a.members));
    for (const { frames, members } of all) {
      const results = await this.#recognise(members, frames);
      members.forEach((window, place) => {
        heard.set(window, results[place]!);
      });
      for (; next < group.length && heard.has(group[next]!); next += 1) {
        await this.#keep(group[next]!, heard.get(group[next]!)!);
      }
    }
  }

  /** Windows of 30 s from the beginning to the end; each begins where the text before says that it ended. */
  async consecutive(): Promise<void> {
    this.speechSamples = this.#samples.length;
    let start = 0;
    while (start < this.#samples.length) {
      const window = { start, end: Math.min(this.#samples.length, start + MAX_WINDOW_SAMPLES) };
      const [result] = await this.#recognise(
        [window],
        framesFor(window, this.#model.recogniser.backend.windowFrames),
      );
      const isLast = window.end === this.#samples.length;
      const heard = this.#add(window, result!);
      start = isLast || heard <= start ? window.end : heard;
    }
  }

  async #recognise(windows: readonly Window[], frames: number): Promise<Recognised[]> {
    throwIfAborted(this.#context.signal);
    const { recogniser } = this.#model;
    const { stopwatch, options, signal, emit } = this.#context;
    const samples = this.#samples;
    const audio = await encodeWindows(windows, frames, { recogniser, samples, stopwatch });
    if (this.language === undefined) {
      this.language = await stopwatch.measureAsync('decoder', () => detectLanguage(audio, recogniser));
      emit({ type: 'language', language: this.language.code, probability: this.language.probability });
    }
    const parts = { previous: this.#previous, language: this.language.code, task: options.task };
    const prompt = buildPrompt(recogniser.tokens, parts, recogniser.backend.maxTokens);
    const context: RecogniseContext = { samples, options, prompt, stopwatch, signal };
    return recognise(recogniser, { windows, audio, frames }, context);
  }

  /** Adds a window's segments; speech that its text does not reach is heard in a window of its own. */
  async #keep(window: Window, result: Recognised): Promise<void> {
    const heard = this.#add(window, result);
    if (heard <= window.start || window.end - heard < UNHEARD_SECONDS * SAMPLE_RATE || result.isSilent)
      return;
    const rest = { start: heard, end: window.end };
    const [next] = await this.#recognise(
      [rest],
      framesFor(rest, this.#model.recogniser.backend.windowFrames),
    );
    await this.#keep(rest, next!);
  }

  /** Adds a window's segments and gives the sample up to which its text goes. */
  #add(window: Window, result: Recognised): number {
    const { emit, options } = this.#context;
    const { tokenizer, tokens } = this.#model.recogniser;
    const { segments, heard } = windowSegments(window, result, {
      tokens,
      tokenizer,
      // A translation is in English, whatever was spoken.
      language: options.task === 'translate' ? 'en' : this.language!.code,
      durationSeconds: this.#samples.length / SAMPLE_RATE,
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

  #remember(result: Recognised): void {
    const words = result.tokens.filter((token) => token < this.#model.recogniser.tokens.endOfText);
    this.#previous = result.temperature > UNRELIABLE_TEMPERATURE ? [] : [...this.#previous, ...words];
  }
}

/** Windows of one length together, at most `size`; the batch that holds the earliest window comes first. */
function batches(
  windows: readonly Window[],
  lengths: readonly number[],
  size: number,
): { frames: number; members: Window[] }[] {
  const all: { frames: number; members: Window[] }[] = [];
  for (const window of windows) {
    const frames = framesFor(window, lengths);
    const open = all.find((batch) => batch.frames === frames && batch.members.length < size);
    if (open === undefined) all.push({ frames, members: [window] });
    else open.members.push(window);
  }
  return all;
}

function samplesIn(windows: readonly Window[]): number {
  return windows.reduce((sum, window) => sum + window.end - window.start, 0);
}
