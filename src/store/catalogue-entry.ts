/** What is known of a model by its name: data and lookups only. */

export const COMPUTE_TYPES = ['int8', 'float32'] as const;
export type ComputeType = (typeof COMPUTE_TYPES)[number];

/** Kinds that turn speech into text. */
export const SPEECH_KINDS = ['whisper', 'whisper-hailo', 'chunkformer'] as const;
export type SpeechKind = (typeof SPEECH_KINDS)[number];
/** Kinds that see. */
export const VISION_KINDS = ['clip', 'clip-hailo'] as const;
export type VisionKind = (typeof VISION_KINDS)[number];
/** Kinds of whose weights something is made before they are loaded. */
export type ConvertedKind = SpeechKind | VisionKind;
export type CatalogueKind = ConvertedKind | 'llm' | 'vad';

/** What the weights of each kind can be converted to, the usual one first; none where they are used as they are. */
export const COMPUTE_TYPES_OF: Readonly<Record<CatalogueKind, readonly ComputeType[]>> = {
  whisper: COMPUTE_TYPES,
  // Compiled so.
  'whisper-hailo': ['int8'],
  chunkformer: ['float32'],
  clip: COMPUTE_TYPES,
  'clip-hailo': ['int8'],
  llm: [],
  vad: [],
};

export function isSpeechKind(kind: CatalogueKind): kind is SpeechKind {
  return (SPEECH_KINDS as readonly string[]).includes(kind);
}

export function isVisionKind(kind: CatalogueKind): kind is VisionKind {
  return (VISION_KINDS as readonly string[]).includes(kind);
}

export interface CatalogueEntry {
  /** The name without compute type, such as `whisper-base`; weights are shared by all compute types. */
  readonly name: string;
  readonly kind: CatalogueKind;
  /** Repository on the Hugging Face hub, `owner/name`. */
  readonly hub: string | undefined;
  /** Packages of the Python package index that carry the same weights, pinned. */
  readonly packages: PackageSource | undefined;
  /** What the maker of a device publishes by itself, compiled for it; the small files beside come from the hub. */
  readonly vendor?: VendorSource;
  /** It comes with Percept itself. */
  readonly isBundled?: boolean;
  /** SPDX name; undefined where only the hub states it. */
  readonly licence: string | undefined;
  /** ISO 639-1 codes, or every language of Whisper. */
  readonly languages: 'multilingual' | readonly string[];
  readonly parameters: number;
  readonly downloadBytes: number;
  /** Other entries that this one needs at run time; pulled along. */
  readonly companions: readonly string[];
}

export interface VendorSource {
  readonly files: readonly VendorFile[];
  /** Files of the repository `hub` that belong to the model. */
  readonly beside: readonly string[];
  /** `model_type` of its config.json. */
  readonly modelType: string;
}

export interface VendorFile {
  readonly path: string;
  readonly place: VendorPlace;
  /** Below that place. */
  readonly address: string;
  /** Undefined where nobody has published it: pinned at the first pull. */
  readonly sha256?: string;
}

/** Where Hailo keeps what its examples need, and its model zoo. */
export type VendorPlace = 'hailoResources' | 'hailoModelZoo';

export interface PackageSource {
  readonly archives: readonly PackageFile[];
  readonly members: readonly PackageMember[];
}

/** One file of the index, named exactly: versions move, hashes do not. */
export interface PackageFile {
  readonly project: string;
  readonly file: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** One file of a model; several parts are joined in order. */
export interface PackageMember {
  readonly path: string;
  readonly parts: readonly { readonly archive: number; readonly name: string }[];
  readonly sizeBytes: number;
  readonly sha256: string;
}
