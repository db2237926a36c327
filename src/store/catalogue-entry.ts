/** What is known of a model by its name: data and lookups only. */

export const COMPUTE_TYPES = ['int8', 'float32'] as const;
export type ComputeType = (typeof COMPUTE_TYPES)[number];

/** Kinds that turn speech into text. */
export const SPEECH_KINDS = ['whisper', 'chunkformer'] as const;
export type SpeechKind = (typeof SPEECH_KINDS)[number];
/** Kinds whose weights become graphs of ours. */
export type ConvertedKind = SpeechKind | 'clip';
export type CatalogueKind = ConvertedKind | 'llm' | 'vad';

/** What the weights of each kind can be converted to, the usual one first; none where they are used as they are. */
export const COMPUTE_TYPES_OF: Readonly<Record<CatalogueKind, readonly ComputeType[]>> = {
  whisper: COMPUTE_TYPES,
  chunkformer: ['float32'],
  clip: COMPUTE_TYPES,
  llm: [],
  vad: [],
};

export function isSpeechKind(kind: CatalogueKind): kind is SpeechKind {
  return (SPEECH_KINDS as readonly string[]).includes(kind);
}

export interface CatalogueEntry {
  /** The name without compute type, such as `whisper-base`; weights are shared by all compute types. */
  readonly name: string;
  readonly kind: CatalogueKind;
  /** Repository on the Hugging Face hub, `owner/name`. */
  readonly hub: string | undefined;
  /** Packages of the Python package index that carry the same weights, pinned. */
  readonly packages: PackageSource | undefined;
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
