/** What makes a set of files a model that Percept can load: which files, and whether they are what they say. */
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError } from '../base/errors.ts';
import { CATALOGUE, VOICE_ACTIVITY, VOICE_ACTIVITY_FILE } from './catalogue.ts';
import type { CatalogueKind } from './catalogue-entry.ts';
import { readChunkFormerConfig } from './chunkformer-config.ts';
import { chooseClipFiles } from './clip-files.ts';
import { chooseHailoFiles } from './hailo-files.ts';
import type { WeightFormat } from './manifest.ts';

export interface CheckpointFiles {
  readonly kind: CatalogueKind;
  readonly format: WeightFormat;
  /** Every file to keep. */
  readonly files: readonly string[];
  /** Those of them that hold weights. */
  readonly weights: readonly string[];
}

const SMALL_FILES =
  /^(config|generation_config|preprocessor_config|tokenizer|tokenizer_config|added_tokens|normalizer)\.json$/;
const VOCABULARY = /^(vocabulary\.(json|txt)|vocab\.json|merges\.txt)$/;
const SAFETENSORS = /^model(-\d+-of-\d+)?\.safetensors$/;
const PICKLE = /\.(pt|pth|pkl|ckpt)$|^pytorch_model.*\.bin$/;
/** PyTorch's own weights of a ChunkFormer model, in the order in which they are looked for. */
export const CHUNKFORMER_WEIGHTS = ['pytorch_model.bin', 'pytorch_model.pt', 'pytorch_model.ckpt'] as const;
const GGUF = /^[A-Za-z0-9][A-Za-z0-9._-]*\.gguf$/i;
const GGUF_PART = /-\d{5}-of-\d{5}(?=\.gguf$)/i;
/** As they are asked for: four bits first, since more cost speed and fewer cost sense. */
const QUANTISATIONS = ['Q4_K_M', 'Q4_K_S', 'Q4_1', 'Q4_0', 'Q5_K_M', 'Q6_K', 'Q8_0'];
/** What stands beside the weights and goes before what they say themselves: how tokens are drawn, and the chat template. */
const BESIDE_GGUF = ['generation_config.json', 'chat_template.jinja', 'chat_template.json'];
const MAX_BESIDE_GGUF_BYTES = 2 ** 20;
const GGUF_VERSIONS = { first: 2, last: 3 };
const NEWEST_HEF = 3;
const CTRANSLATE2_VERSIONS = { first: 3, last: 6 };
const MAX_SAFETENSORS_HEADER_BYTES = 100 * 1024 ** 2;

/**
 * Picks the files of a model by their names, and by the `model_type` of config.json where there is one. Throws `unsupported_model` with
 * the remedy; `origin` is for the message. A name may have folders; installed, it has none (`installedName`).
 */
export function chooseFiles(names: readonly string[], origin: string, modelType?: string): CheckpointFiles {
  const compiled = chooseHailoFiles(names, origin, modelType);
  if (compiled) return compiled;
  const clip = chooseClipFiles(names, origin, modelType);
  if (clip) return { kind: 'clip', ...clip };
  const common = names.filter((name) => SMALL_FILES.test(name) || VOCABULARY.test(name));
  const onnx = names.filter((name) => name === VOICE_ACTIVITY_FILE);
  if (onnx.length > 0) return { kind: 'vad', format: 'onnx', files: onnx, weights: onnx };
  const found = weightsAmong(names);
  const other = found ? undefined : (chooseChunkFormerFiles(names, origin) ?? chooseGgufFiles(names));
  if (other) return other;
  if (!found) throw new AppError('unsupported_model', `${origin} ${whatIsMissing(names)}`);
  for (const required of ['config.json', 'tokenizer.json']) {
    if (!names.includes(required)) {
      const message = `${origin} has no ${required}; take it from the repository that the model was made from.`;
      throw new AppError('unsupported_model', message);
    }
  }
  const index = names.filter((name) => name === 'model.safetensors.index.json' && found.weights.length > 1);
  return { kind: 'whisper', ...found, files: [...common, ...index, ...found.weights] };
}

/** Where a file of a repository lies once it is installed. */
export function installedName(path: string): string {
  return basename(path);
}

/** The same files as they are installed. */
export function asInstalled(files: CheckpointFiles): CheckpointFiles {
  return { ...files, files: files.files.map(installedName), weights: files.weights.map(installedName) };
}

/** Of a parsed config.json. */
export function modelTypeOf(config: unknown): string | undefined {
  const type = (config as { model_type?: unknown } | null | undefined)?.model_type;
  return typeof type === 'string' ? type : undefined;
}

const KIND_NAMES: Readonly<Record<CatalogueKind, string>> = {
  whisper: 'a Whisper model',
  'whisper-hailo': 'a Whisper model for a Hailo device',
  chunkformer: 'a ChunkFormer model',
  clip: 'a CLIP model',
  'clip-hailo': 'a CLIP model for a Hailo device',
  llm: 'a language model',
  vad: 'a voice activity model',
};

/** A name of the catalogue stands for its own kind of model, and voice activity detection for one name. Throws `unsupported_model`. */
export function requireKind(name: string, kind: CatalogueKind, origin: string): void {
  if (kind === 'vad' && name !== VOICE_ACTIVITY)
    throw new AppError(
      'unsupported_model',
      `${origin} is ${KIND_NAMES.vad}: import it as ${VOICE_ACTIVITY}.`,
    );
  const known = CATALOGUE.find((entry) => entry.name === name)?.kind ?? kind;
  if (known !== kind)
    throw new AppError(
      'unsupported_model',
      `${origin} is ${KIND_NAMES[kind]}, but ${name} is ${KIND_NAMES[known]}. Take a name of its own for it.`,
    );
}

/** Reads as much of each file as tells whether it is what it says. Throws `unsupported_model`. */
export async function checkFiles(
  directory: string,
  { kind, format, files, weights }: CheckpointFiles,
): Promise<void> {
  for (const name of files.filter((file) => file.endsWith('.json'))) await readJson(join(directory, name));
  if (kind === 'whisper')
    checkWhisperConfig(await readJson(join(directory, 'config.json')), format, directory);
  if (kind === 'chunkformer')
    readChunkFormerConfig(await readFile(join(directory, 'config.yaml'), 'utf8'), directory);
  if (kind === 'llm') await checkBesideGguf(directory, files);
  if (files.includes('model.safetensors.index.json')) await checkIndex(directory, weights);
  for (const name of weights) {
    const path = join(directory, name);
    const handle = await open(path, 'r');
    try {
      await CHECKS[format](handle, path);
    } finally {
      await handle.close();
    }
  }
}

/** Whether a parsed config.json is Whisper's. Throws `unsupported_model`. */
export function checkWhisperConfig(config: unknown, format: WeightFormat, origin: string): void {
  const fields = (typeof config === 'object' && config !== null ? config : {}) as Record<string, unknown>;
  // CTranslate2's file has no model type, but only Whisper's names tokens to suppress.
  const isWhisper = format === 'huggingface' ? fields['model_type'] === 'whisper' : 'suppress_ids' in fields;
  if (isWhisper) return;
  const found = typeof fields['model_type'] === 'string' ? ` but of type ${fields['model_type']}` : '';
  throw new AppError('unsupported_model', `${origin} is not a Whisper model${found}.`);
}

/** PyTorch's weights beside a config.yaml; undefined where they are not. */
function chooseChunkFormerFiles(names: readonly string[], origin: string): CheckpointFiles | undefined {
  const weights = CHUNKFORMER_WEIGHTS.find((name) => names.includes(name));
  if (weights === undefined || !names.includes('config.yaml')) return undefined;
  if (!names.includes('vocab.txt'))
    throw new AppError(
      'unsupported_model',
      `${origin} has no vocab.txt; take it from the repository that the model was made from.`,
    );
  const statistics = names.filter((name) => name === 'global_cmvn');
  const files = ['config.yaml', 'vocab.txt', ...statistics, weights];
  return { kind: 'chunkformer', format: 'pytorch', files, weights: [weights] };
}

/**
 * Repositories hold one model at many quantisations, and some of them in parts: the first of those that people use most, whole.
 * `mmproj` files are eyes of models that can see.
 */
function chooseGgufFiles(names: readonly string[]): CheckpointFiles | undefined {
  const models = names.filter((name) => GGUF.test(name) && !/^mmproj/i.test(name)).sort();
  const usual = QUANTISATIONS.map((wanted) => models.find((name) => name.toUpperCase().includes(wanted)));
  const first = usual.find((name) => name !== undefined) ?? models[0];
  if (first === undefined) return undefined;
  const stem = first.replace(GGUF_PART, '');
  const weights = GGUF_PART.test(first)
    ? models.filter((name) => GGUF_PART.test(name) && name.replace(GGUF_PART, '') === stem)
    : [first];
  const beside = BESIDE_GGUF.filter((name) => names.includes(name));
  return { kind: 'llm', format: 'gguf', files: [...beside, ...weights], weights };
}

function weightsAmong(
  names: readonly string[],
): { format: WeightFormat; weights: readonly string[] } | undefined {
  if (names.includes('model.bin')) return { format: 'ctranslate2', weights: ['model.bin'] };
  if (names.includes('model.safetensors')) return { format: 'huggingface', weights: ['model.safetensors'] };
  const shards = names.filter((name) => SAFETENSORS.test(name)).sort();
  return shards.length > 0 ? { format: 'huggingface', weights: shards } : undefined;
}

function whatIsMissing(names: readonly string[]): string {
  if (names.some((name) => PICKLE.test(name))) {
    return (
      'holds its weights only as Python pickles, which are read for ChunkFormer models alone (beside config.yaml and vocab.txt). ' +
      'Use a repository with model.safetensors or in CTranslate2 format (model.bin), or convert it.'
    );
  }
  return `holds no model: expected model.bin (CTranslate2), model.safetensors, ChunkFormer's config.yaml with ${CHUNKFORMER_WEIGHTS[1]}, a .gguf file, or ${VOICE_ACTIVITY_FILE}.`;
}

const CHECKS: Record<WeightFormat, (handle: FileHandle, path: string) => Promise<void>> = {
  ctranslate2: checkCTranslate2,
  huggingface: checkSafetensors,
  openclip: checkSafetensors,
  pytorch: checkPytorch,
  gguf: checkGguf,
  onnx: checkOnnx,
  hef: checkCompiled,
};

/** A version as 4 bytes, then the length (2 bytes) and the characters of the model's specification. */
async function checkCTranslate2(handle: FileHandle, path: string): Promise<void> {
  const head = await readHead(handle, 18);
  const version = head.length === 18 ? head.readUInt32LE(0) : 0;
  const isKnown = version >= CTRANSLATE2_VERSIONS.first && version <= CTRANSLATE2_VERSIONS.last;
  const spec = head.subarray(6, 17).toString('latin1');
  if (!isKnown || spec !== 'WhisperSpec')
    throw notWhatItSays(path, 'a CTranslate2 Whisper model (binary version 3 to 6)');
}

/** The length of a JSON header as 8 bytes, the header, then tensors up to the last offset that the header names. */
async function checkSafetensors(handle: FileHandle, path: string): Promise<void> {
  const wrong = notWhatItSays(path, 'a whole safetensors file');
  const { size } = await handle.stat();
  const head = await readHead(handle, 8);
  const headerBytes = head.length === 8 ? Number(head.readBigUInt64LE(0)) : 0;
  if (headerBytes < 2 || headerBytes > MAX_SAFETENSORS_HEADER_BYTES || headerBytes + 8 > size) throw wrong;
  const text = (await readHead(handle, headerBytes + 8)).subarray(8).toString('utf8');
  const tensors = Object.entries(parseJson(text) ?? {}).filter(([name]) => name !== '__metadata__');
  const ends = tensors.map(
    ([, tensor]) => (tensor as { data_offsets?: [number, number] }).data_offsets?.[1] ?? Number.NaN,
  );
  const lastEnd = ends.reduce((last, end) => Math.max(last, end), 0);
  if (tensors.length === 0 || lastEnd + headerBytes + 8 !== size) throw wrong;
}

/** A HEF, or what the host needs beside it. */
async function checkCompiled(handle: FileHandle, path: string): Promise<void> {
  if (path.endsWith('.safetensors')) return checkSafetensors(handle, path);
  const head = await readHead(handle, 8);
  if (path.endsWith('.npy')) {
    if (head.toString('latin1', 0, 6) !== '\x93NUMPY') throw notWhatItSays(path, "a table in NumPy's format");
    return;
  }
  const isHef = head.length === 8 && head.toString('latin1', 0, 4) === '\x01HEF';
  if (!isHef || head.readUInt32BE(4) > NEWEST_HEF) throw notWhatItSays(path, 'a HEF (version 0 to 3)');
}

/** A zip file; what is in it is looked at when it is converted. */
async function checkPytorch(handle: FileHandle, path: string): Promise<void> {
  const head = await readHead(handle, 4);
  if (head.toString('latin1') === 'PK\x03\x04') return;
  throw notWhatItSays(path, 'a PyTorch checkpoint in zip form, which PyTorch 1.6 and newer write');
}

/** `GGUF`, a version, and how many tensors there are, 8 bytes. */
async function checkGguf(handle: FileHandle, path: string): Promise<void> {
  const head = await readHead(handle, 16);
  const version = head.length === 16 ? head.readUInt32LE(4) : 0;
  const isKnown = version >= GGUF_VERSIONS.first && version <= GGUF_VERSIONS.last;
  if (head.toString('latin1', 0, 4) !== 'GGUF' || !isKnown || head.readBigUInt64LE(8) === 0n)
    throw notWhatItSays(path, 'a GGUF model (version 2 or 3)');
}

/** They are read whole whenever the model is loaded. */
async function checkBesideGguf(directory: string, files: readonly string[]): Promise<void> {
  for (const name of BESIDE_GGUF.filter((candidate) => files.includes(candidate))) {
    const path = join(directory, name);
    const { size } = await stat(path);
    if (size > MAX_BESIDE_GGUF_BYTES)
      throw new AppError(
        'unsupported_model',
        `${path} has ${size} bytes; at most ${MAX_BESIDE_GGUF_BYTES} are expected.`,
      );
  }
}

/** A protobuf whose first field is the version of the format, a small number. */
async function checkOnnx(handle: FileHandle, path: string): Promise<void> {
  const [tag, version] = await readHead(handle, 2);
  const isVersion = tag === 0x08 && version !== undefined && version >= 3 && version < 64;
  if (!isVersion || (await handle.stat()).size < 1024) throw notWhatItSays(path, 'an ONNX model');
}

async function checkIndex(directory: string, weights: readonly string[]): Promise<void> {
  const path = join(directory, 'model.safetensors.index.json');
  const { weight_map: map } = (await readJson(path)) as { weight_map?: Record<string, unknown> };
  const missing = [...new Set(Object.values(map ?? {}))].filter((shard) => !weights.includes(String(shard)));
  if (!map || missing.length > 0) {
    throw new AppError(
      'unsupported_model',
      `${path} names weights that are not there: ${missing.join(', ') || 'none at all'}.`,
    );
  }
}

async function readJson(path: string): Promise<object> {
  const found = await stat(path).catch(() => undefined);
  const parsed =
    found && found.size < MAX_SAFETENSORS_HEADER_BYTES ? parseJson(await readFile(path, 'utf8')) : undefined;
  if (!parsed) throw notWhatItSays(path, 'JSON');
  return parsed;
}

function parseJson(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

async function readHead(handle: FileHandle, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, 0);
  return buffer.subarray(0, bytesRead);
}

function notWhatItSays(path: string, expected: string): AppError {
  return new AppError(
    'unsupported_model',
    `${path} is not ${expected}. If it was downloaded, download it again.`,
  );
}
