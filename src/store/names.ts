import { AppError } from '../base/errors.ts';
import { nearestNames } from '../base/nearest.ts';
import { ALIASES, CATALOGUE, otherEntry, VOICE_ACTIVITY } from './catalogue.ts';
import {
  type CatalogueEntry,
  type CatalogueKind,
  COMPUTE_TYPES,
  COMPUTE_TYPES_OF,
  type ComputeType,
} from './catalogue-entry.ts';
import type { Manifest } from './manifest.ts';

export interface ResolveOptions {
  /** What `whisper-1` stands for. */
  readonly defaultModel: string;
  /** For names without a suffix. */
  readonly computeType: ComputeType;
  /** What is asked for, for the hint in the error; everything where not said. */
  readonly kinds?: readonly CatalogueKind[];
  /** Installed models, so that one imported under a name of its own is found. */
  readonly installed?: readonly Manifest[];
}

export interface ResolvedName {
  /** With compute type, such as `whisper-base-int8`, where the weights can have several. */
  readonly name: string;
  /** Without it: the name under which the weights lie. */
  readonly base: string;
  readonly computeType: ComputeType;
  readonly entry: CatalogueEntry;
}

const SUFFIX = /-(int8|float32|fp32)$/i;
/** One or two path components that no file system reads as anything else. */
const SAFE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)?$/;
const MAX_NAME_LENGTH = 128;

/**
 * What a client means by a model name: a catalogue name, an alias, a repository of the hub (`owner/name`) or the name of
 * an import, each with or without a compute type (`-int8`, `-float32`, `-fp32`). Throws `model_not_found`.
 */
export function resolveName(name: string, options: ResolveOptions): ResolvedName {
  const written = name.trim();
  if (written.toLowerCase() === 'whisper-1' && options.defaultModel.toLowerCase() !== 'whisper-1') {
    return resolveName(options.defaultModel, options);
  }
  const suffix = SUFFIX.exec(written);
  const stem = suffix ? written.slice(0, suffix.index) : written;
  const entry = entryOf(stem, options.installed ?? []);
  if (!entry) throw unknownModel(written, options);
  const computeType = chooseComputeType(entry, suffix?.[1], options);
  if (computeType === undefined) return { name: entry.name, base: entry.name, computeType: 'float32', entry };
  return { name: `${entry.name}-${computeType}`, base: entry.name, computeType, entry };
}

/** The name under which a model of `name` lies in the store, for `import` and `rm`. Throws `invalid_request`. */
export function baseName(name: string): string {
  const stem = name.trim().replace(SUFFIX, '');
  const known = catalogueEntry(stem);
  if (known) return known.name;
  // whisper-1 stands for the configured default model, never for weights of its own.
  if (!isSafeName(stem) || stem.toLowerCase() === 'whisper-1') {
    throw new AppError(
      'invalid_request',
      `${JSON.stringify(name)} cannot name a model: expected letters, digits, ".", "_" and "-", such as whisper-base or owner/name.`,
      { param: 'model' },
    );
  }
  return stem;
}

export function catalogueEntry(name: string): CatalogueEntry | undefined {
  const wanted = name.toLowerCase();
  const target = ALIASES[wanted] ?? wanted;
  return CATALOGUE.find((entry) => namesOf(entry).includes(target));
}

function entryOf(stem: string, installed: readonly Manifest[]): CatalogueEntry | undefined {
  const known = catalogueEntry(stem);
  if (known) return known;
  const manifest = installed.find((candidate) => candidate.name.toLowerCase() === stem.toLowerCase());
  if (manifest) return entryOfManifest(manifest);
  return stem.includes('/') && isSafeName(stem) ? otherEntry(stem) : undefined;
}

/** What is known of an import: its kind, and its parameters by the size of its weights; PyTorch's and CLIP's have four bytes, others two. */
function entryOfManifest({ name, kind, format, licence, files }: Manifest): CatalogueEntry {
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return otherEntry(name, {
    kind,
    licence,
    parameters: sizeBytes / (format === 'pytorch' || kind === 'clip' ? 4 : 2),
    downloadBytes: sizeBytes,
    companions: kind === 'whisper' || kind === 'whisper-hailo' ? [VOICE_ACTIVITY] : [],
  });
}

/** Every spelling of an entry, lower case: `whisper-base`, `base`, `openai/whisper-base`, its repository. */
function namesOf(entry: CatalogueEntry): string[] {
  const names = [entry.name];
  // What is compiled for a device is never meant by a name that does not say so.
  if (entry.vendor !== undefined) return names;
  if (entry.hub) names.push(entry.hub);
  if (entry.name.startsWith('whisper-'))
    names.push(entry.name.slice('whisper-'.length), `openai/${entry.name}`);
  if (entry.name.startsWith('distil-')) names.push(`distil-whisper/${entry.name}`);
  return names.map((name) => name.toLowerCase());
}

function unknownModel(name: string, { installed = [], kinds }: ResolveOptions): AppError {
  const isMeant = (kind: CatalogueKind) => (kinds === undefined ? kind !== 'vad' : kinds.includes(kind));
  const all = [...CATALOGUE, ...installed].filter(({ kind }) => isMeant(kind));
  const known = [...new Set(all.map(({ name }) => name))];
  const near = nearestNames(name.replace(SUFFIX, ''), known);
  const hint = near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `Known models: ${known.join(', ')}.`;
  return new AppError('model_not_found', `There is no model ${JSON.stringify(name)}. ${hint}`, {
    param: 'model',
  });
}

/** The one that the name says, which must exist; else the configured one, or the usual one of models that have no such. None where weights have one form only. */
function chooseComputeType(
  { name, kind }: CatalogueEntry,
  suffix: string | undefined,
  { computeType }: ResolveOptions,
): ComputeType | undefined {
  const known = COMPUTE_TYPES_OF[kind];
  if (suffix === undefined) return known.includes(computeType) ? computeType : known[0];
  const written = suffix.toLowerCase();
  const wanted = COMPUTE_TYPES.find((type) => type === written) ?? 'float32';
  if (known.includes(wanted)) return wanted;
  const forms = known.map((type) => `${name}-${type}`);
  throw new AppError(
    'model_not_found',
    `${name} has no form ${wanted}; ask for ${forms.join(' or ') || name}.`,
    {
      param: 'model',
    },
  );
}

function isSafeName(name: string): boolean {
  // Two dashes stand for the slash of `owner/name` on disk, so no other name may hold them.
  return (
    name.length <= MAX_NAME_LENGTH && SAFE_NAME.test(name) && !name.includes('..') && !name.includes('--')
  );
}
