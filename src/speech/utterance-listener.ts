/** From the sound of a live session to its utterances: who speaks from where to where, and the samples of it. */
import { SAMPLE_RATE } from '../audio/pcm.ts';
import { openPcmStream, type PcmStream } from '../audio/pcm-stream.ts';
import { AppError } from '../base/errors.ts';
import type { LiveEvent, LiveInput, ResolvedLiveSettings } from './live.ts';
import { createSampleBuffer } from './sample-buffer.ts';
import { type SpeechDetector, type SpeechListener, VAD_FRAME_SAMPLES } from './silero.ts';
import type { TranscribeOptions } from './transcript.ts';
import {
  createUtteranceDetector,
  type DetectionSettings,
  START_FRAMES,
  type UtteranceChange,
  type UtteranceDetector,
} from './utterance-detector.ts';

export interface Utterance {
  readonly id: number;
  readonly samples: Float32Array;
  /** Where it ends is known by voice activity detection, so all of it is speech. */
  readonly isSpeech: boolean;
  readonly options: TranscribeOptions;
}

/** An utterance that still goes on. */
export interface OpenUtterance {
  readonly id: number;
  /** Samples so far. */
  readonly length: number;
  /** A copy. */
  samples(): Float32Array;
  readonly options: TranscribeOptions;
}

export interface UtteranceListenerParts {
  readonly detector: SpeechDetector;
  emit(event: LiveEvent): void;
  /** Takes an utterance that is complete. */
  onUtterance(utterance: Utterance): void;
}

/** An utterance and its silence fill one window of Whisper's, which is 30 s. */
const MAX_UTTERANCE_MS = 25_000;
/** Silence that is kept behind the last speech, which fades out slower than the probability falls. */
const TAIL_SAMPLES = 0.3 * SAMPLE_RATE;
/** What a caller who ends utterances may leave uncommitted: 38 MB of samples. */
const MAX_UNCOMMITTED_SECONDS = 600;
const FRAME_MS = (VAD_FRAME_SAMPLES / SAMPLE_RATE) * 1000;

/** Voice activity detection of one stretch of sound under one kind of settings. */
interface Hearing {
  readonly listener: SpeechListener;
  readonly detector: UtteranceDetector;
  /** The sample with which its first frame begins. */
  readonly base: number;
}

/** Input must be given one at a time. */
export class UtteranceListener {
  readonly #parts: UtteranceListenerParts;
  #settings: ResolvedLiveSettings;
  #pcm: PcmStream;
  readonly #buffer = createSampleBuffer();
  /** Undefined where the caller ends the utterances. */
  #hearing: Hearing | undefined;
  /** The utterance that is open, and its first sample; with a caller who ends utterances only what detection left open. */
  #open: { readonly id: number; readonly start: number } | undefined;
  /** Where the last utterance ended: no sample belongs to two. */
  #committed = 0;
  #previousId: number | undefined;
  #nextId = 0;

  constructor(settings: ResolvedLiveSettings, parts: UtteranceListenerParts) {
    this.#parts = parts;
    this.#settings = settings;
    this.#pcm = openPcmStream(settings.sampleRate);
    if (settings.detection !== undefined) this.#hearing = this.#hearingOf(settings.detection);
  }

  /** The utterance that goes on as far as detection knows. */
  get open(): OpenUtterance | undefined {
    const open = this.#hearing === undefined ? undefined : this.#open;
    if (open === undefined) return undefined;
    const { end } = this.#buffer;
    return {
      id: open.id,
      length: end - open.start,
      samples: () => this.#buffer.copy(open.start, end),
      options: this.#settings.options,
    };
  }

  /** Throws `audio_too_long` when a caller who ends utterances does not. */
  async take(input: LiveInput<ResolvedLiveSettings>): Promise<void> {
    switch (input.type) {
      case 'audio':
        return this.#hear(this.#pcm.push(input.pcm));
      case 'configure':
        return this.#configure(input.settings);
      case 'commit':
        return this.#commit(input.ref);
      case 'clear':
        return this.#clear();
      default:
        input satisfies never;
    }
  }

  /** The sound is over: what is open is an utterance. */
  async finish(): Promise<void> {
    await this.#hear(this.#pcm.flush());
    if (this.#hasUncommitted()) this.#commit(undefined);
  }

  async #hear(samples: Float32Array): Promise<void> {
    this.#buffer.append(samples);
    if (this.#hearing !== undefined) {
      await this.#detect(this.#hearing, samples);
      this.#forget();
    } else if (this.#buffer.end - this.#committed > MAX_UNCOMMITTED_SECONDS * SAMPLE_RATE) {
      throw new AppError(
        'audio_too_long',
        `More than ${MAX_UNCOMMITTED_SECONDS} s of sound were sent without a commit. Commit more often, or use turn detection.`,
      );
    }
  }

  async #detect({ listener, detector, base }: Hearing, samples: Float32Array): Promise<void> {
    for (const probability of await listener.push(samples)) {
      const change = detector.hear(probability);
      if (change !== undefined) this.#apply(change, base);
    }
  }

  #apply(change: UtteranceChange, base: number): void {
    const place = base + change.frame * VAD_FRAME_SAMPLES;
    switch (change.type) {
      case 'started':
        this.#begin(place - this.#prefixSamples);
        break;
      case 'stopped':
        this.#parts.emit({ type: 'stopped', utterance: this.#open!.id, atMs: toMs(place) });
        this.#give(base + change.speechEnd * VAD_FRAME_SAMPLES + TAIL_SAMPLES, place);
        break;
      case 'cut':
        this.#parts.emit({ type: 'stopped', utterance: this.#open!.id, atMs: toMs(place) });
        this.#give(place, place);
        this.#begin(place);
        break;
      default:
        change satisfies never;
    }
  }

  #begin(start: number): void {
    this.#open = { id: this.#newId(), start: Math.max(start, this.#committed, this.#buffer.start) };
    this.#parts.emit({ type: 'started', utterance: this.#open.id, atMs: toMs(this.#open.start) });
  }

  /** Hands the open utterance on: samples up to `end`; the next begins at `next` or later. */
  #give(end: number, next: number): void {
    const { id, start } = this.#open!;
    const samples = this.#buffer.copy(start, Math.min(end, next));
    this.#open = undefined;
    this.#committed = next;
    this.#parts.emit({ type: 'committed', utterance: id, previous: this.#previousId });
    this.#previousId = id;
    this.#parts.onUtterance({
      id,
      samples,
      isSpeech: this.#hearing !== undefined,
      options: this.#settings.options,
    });
  }

  #commit(ref: string | undefined): void {
    if (!this.#hasUncommitted()) {
      this.#parts.emit({ type: 'refused', ref });
      return;
    }
    this.#open ??= { id: this.#newId(), start: Math.max(this.#committed, this.#buffer.start) };
    this.#give(this.#buffer.end, this.#buffer.end);
    this.#hearing?.detector.end();
    this.#forget();
  }

  /** With detection only speech can be committed. */
  #hasUncommitted(): boolean {
    if (this.#open !== undefined) return this.#buffer.end > this.#open.start;
    return this.#hearing === undefined && this.#buffer.end > this.#committed;
  }

  #clear(): void {
    this.#open = undefined;
    this.#committed = this.#buffer.end;
    this.#hearing?.detector.end();
    this.#forget();
    this.#parts.emit({ type: 'cleared' });
  }

  async #configure(settings: ResolvedLiveSettings): Promise<void> {
    if (settings.sampleRate !== this.#settings.sampleRate) {
      await this.#hear(this.#pcm.flush());
      this.#pcm = openPcmStream(settings.sampleRate);
    }
    this.#settings = settings;
    if (settings.detection === undefined) this.#hearing = undefined;
    else if (this.#hearing !== undefined) this.#hearing.detector.configure(settings.detection);
    else await this.#beginHearing(settings.detection);
  }

  /** What nobody committed is heard again, now for its utterances. */
  async #beginHearing(detection: DetectionSettings): Promise<void> {
    this.#open = undefined;
    this.#hearing = this.#hearingOf(detection);
    await this.#detect(this.#hearing, this.#buffer.copy(this.#hearing.base, this.#buffer.end));
    this.#forget();
  }

  #hearingOf(detection: DetectionSettings): Hearing {
    return {
      listener: this.#parts.detector.listen(),
      detector: createUtteranceDetector(detection, {
        frameMs: FRAME_MS,
        maxUtteranceMs: MAX_UTTERANCE_MS - detection.prefixMs,
      }),
      base: Math.max(this.#committed, this.#buffer.start),
    };
  }

  /** Keeps what may still belong to an utterance: the open one, or the sound before one that is not announced yet. */
  #forget(): void {
    const unheard = (START_FRAMES + 1) * VAD_FRAME_SAMPLES;
    const recent = this.#buffer.end - this.#prefixSamples - unheard;
    const quiet = this.#hearing === undefined ? this.#committed : Math.max(this.#committed, recent);
    this.#buffer.forget(this.#open?.start ?? quiet);
  }

  get #prefixSamples(): number {
    return ((this.#settings.detection?.prefixMs ?? 0) / 1000) * SAMPLE_RATE;
  }

  #newId(): number {
    this.#nextId += 1;
    return this.#nextId - 1;
  }
}

function toMs(place: number): number {
  return Math.round((place / SAMPLE_RATE) * 1000);
}
