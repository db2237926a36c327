/** What the service must know of each kind of speech model: how to load it, and how a request is put to it. */
import type { CatalogueEntry, SpeechKind } from '../store/catalogue-entry.ts';
import type { InstalledModel } from '../store/store.ts';
import type { LiveInput, LiveRequest } from './live.ts';
import type { SpeechRequest } from './service.ts';

export interface SpeechBackend {
  readonly kind: SpeechKind;
  /** Raised with every change to what is converted. */
  readonly converterVersion: number;
  /** Whether it is loaded with the voice activity model. */
  readonly needsVoiceActivity: boolean;
  /** As `GET /v1/models` lists them. */
  capabilities(entry: CatalogueEntry): readonly string[];
  /** `LoadSpec.device`: what only one process may hold at a time; undefined for models on the CPU. */
  device?(installed: InstalledModel): Promise<string | undefined>;
  /** `LoadSpec.options`. */
  loadOptions(parts: LoadParts): Readonly<Record<string, unknown>>;
  /** Throws `invalid_request` or `unsupported_parameter` for what the model has no meaning for, as far as its name tells. */
  check(request: Partial<SpeechRequest>, model: AskedModel): void;
  /** Input of the call `transcribe`; checks as `check` does. */
  transcribeInput(path: string, request: SpeechRequest, model: AskedModel): unknown;
  /** Everything that decides what `transcribe` writes, beside the weights: plain JSON. Checks as `check` does. */
  decoding(request: SpeechRequest, model: AskedModel): Readonly<Record<string, unknown>>;
  /** Undefined where the model does not listen live. */
  readonly live: LiveBackend | undefined;
}

export interface LiveBackend {
  /** Input of the call `listen`. */
  input(request: LiveRequest): unknown;
  /** Its streamed input: settings with the configuration's defaults in them. */
  chunks(input: AsyncIterable<LiveInput>): AsyncIterable<unknown>;
}

export interface AskedModel {
  /** For messages. */
  readonly name: string;
  readonly entry: CatalogueEntry;
}

export interface LoadParts {
  readonly entry: CatalogueEntry;
  /** Directory of what was converted. */
  readonly graphs: string;
  /** Directory of the voice activity model; undefined where it is not needed. */
  readonly vad: string | undefined;
  readonly threads: number;
}

/** How recordings are decoded; the same for every kind. */
export interface AudioSettings {
  readonly ffmpeg: string;
  readonly timeoutMs: number;
  readonly memoryBytes: number;
  readonly directory: string;
}
