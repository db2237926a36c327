/** Models that see, for everyone above: the HTTP routes, the CLI and, later, tasks. Made by `app.ts` from the engine and the store. */
import type { Admission } from '../engine/admission.ts';
import type { RankedLabel } from './ranking.ts';

/** What a client sent, and the field that it came in, which an error names. */
export interface Named<T> {
  readonly name: string;
  readonly value: T;
}

/** What every request may say. */
export interface VisionRequest {
  /** The configured default where it is left out. */
  readonly model: string | undefined;
  readonly keepAliveSeconds?: number | undefined;
}

export interface ClassifyRequest extends VisionRequest {
  /** Files: JPEG, PNG, WebP, GIF, AVIF or TIFF. Their memory is taken over. */
  readonly images: readonly Named<Uint8Array>[];
  readonly labels: readonly Named<string>[];
  /** Sentences with `{}` in the place of the label, whose embeddings are averaged. The label alone where there are none. */
  readonly templates: readonly string[];
  /** Most labels of an answer; all where it is left out. */
  readonly topK?: number | undefined;
  /** Least score; 0 where it is left out. */
  readonly threshold?: number | undefined;
  /** What cosines are multiplied by, in place of the configuration's and the model's own. */
  readonly logitScale?: number | undefined;
}

export interface EmbedImagesRequest extends VisionRequest {
  readonly images: readonly Named<Uint8Array>[];
}

export interface EmbedTextsRequest extends VisionRequest {
  readonly texts: readonly Named<string>[];
}

/** What every answer says. */
export interface VisionAnswer {
  /** Full name, with the compute type. */
  readonly model: string;
  /** From the request to the answer, a load of the model left out. */
  readonly seconds: number;
  readonly images: number;
  /** Different texts whose embeddings were remembered, and others. */
  readonly texts: { readonly hits: number; readonly misses: number };
}

export interface Classification extends VisionAnswer {
  /** Of each image, best first. */
  readonly rankings: readonly (readonly RankedLabel[])[];
}

export interface Embeddings extends VisionAnswer {
  /** Of length 1, in the order of what was asked. */
  readonly embeddings: readonly Float32Array[];
  readonly dimension: number;
  /** Of all texts, with those that frame them; 0 of images. */
  readonly tokens: number;
}

/** A model that can be asked for. */
export interface VisionModel {
  readonly name: string;
  readonly description: string;
  readonly computeType: string;
  readonly capabilities: readonly string[];
  readonly memoryBytes: number;
  readonly ownedBy: string;
  /** When its weights were installed; undefined when they are not. */
  readonly installedAt: Date | undefined;
}

/**
 * Requests throw `model_not_found`, `invalid_request` for what cannot be asked, `unsupported_image` and `image_too_large` for a picture and
 * `context_exceeded` for a text, naming its field, and what loading and running the model may throw.
 */
export interface VisionService {
  /** Throws `queue_full` with the seconds to wait. */
  admit(): Admission;
  classify(request: ClassifyRequest, signal: AbortSignal): Promise<Classification>;
  embedImages(request: EmbedImagesRequest, signal: AbortSignal): Promise<Embeddings>;
  embedTexts(request: EmbedTextsRequest, signal: AbortSignal): Promise<Embeddings>;
  models(): Promise<readonly VisionModel[]>;
  /** Throws `model_not_found`. */
  model(name: string): Promise<VisionModel>;
}
