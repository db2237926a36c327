/** Which files of a repository are a CLIP or SigLIP model: its layouts are many, and one repository may hold several. */
import { AppError } from '../base/errors.ts';
import type { WeightFormat } from './manifest.ts';

/** `model_type` of config.json. */
const CLIP_TYPES = ['clip', 'siglip'];
const SMALL_FILES =
  /^(config|preprocessor_config|tokenizer|tokenizer_config|vocab|open_clip_config)\.json$|^merges\.txt$/;
const SHARDS = /^model(-\d+-of-\d+)?\.safetensors(\.index\.json)?$/;
const OPENCLIP_WEIGHTS = 'open_clip_model.safetensors';
/** As transformers.js names them; quantised ones beside. */
const EXPORTED = /^(onnx\/)?(vision|text)_model(_quantized)?\.onnx$/;

export interface ClipFiles {
  readonly format: WeightFormat;
  readonly files: readonly string[];
  readonly weights: readonly string[];
}

/** Undefined for what is no such model. Throws `unsupported_model` for one that cannot be read. */
export function chooseClipFiles(
  names: readonly string[],
  origin: string,
  modelType: string | undefined,
): ClipFiles | undefined {
  const isClip = modelType !== undefined && CLIP_TYPES.includes(modelType);
  const isOpenClip = names.includes('open_clip_config.json');
  if (!isClip && !isOpenClip) return undefined;
  const found = isClip ? (weightsOfCheckpoint(names) ?? openClipWeights(names)) : openClipWeights(names);
  if (found === undefined)
    throw new AppError(
      'unsupported_model',
      `${origin} holds no weights of a CLIP model that are read here: expected model.safetensors, pytorch_model.bin, ${OPENCLIP_WEIGHTS}, or vision_model.onnx and text_model.onnx.`,
    );
  const hasTokenizer =
    names.includes('tokenizer.json') || (names.includes('vocab.json') && names.includes('merges.txt'));
  if (!hasTokenizer)
    throw new AppError(
      'unsupported_model',
      `${origin} has no tokenizer.json, and no vocab.json with merges.txt; take them from the repository that the model was made from.`,
    );
  const small = names.filter((name) => SMALL_FILES.test(name));
  const { format, weights, beside } = found;
  return { format, weights, files: [...small, ...beside, ...weights] };
}

interface FoundWeights {
  readonly format: WeightFormat;
  readonly weights: readonly string[];
  /** What tells where in them a tensor is. */
  readonly beside: readonly string[];
}

function weightsOfCheckpoint(names: readonly string[]): FoundWeights | undefined {
  if (names.includes('model.safetensors'))
    return { format: 'huggingface', weights: ['model.safetensors'], beside: [] };
  const shards = names.filter((name) => SHARDS.test(name)).sort();
  const weights = shards.filter((name) => name.endsWith('.safetensors'));
  if (weights.length > 0)
    return { format: 'huggingface', weights, beside: shards.filter((name) => name.endsWith('.json')) };
  if (names.includes('pytorch_model.bin'))
    return { format: 'pytorch', weights: ['pytorch_model.bin'], beside: [] };
  const exported = names.filter((name) => EXPORTED.test(name)).sort();
  const isWhole = ['vision_model', 'text_model'].every((stem) =>
    exported.some((name) => name.includes(stem)),
  );
  return isWhole ? { format: 'onnx', weights: exported, beside: [] } : undefined;
}

function openClipWeights(names: readonly string[]): FoundWeights | undefined {
  if (!names.includes('open_clip_config.json') || !names.includes(OPENCLIP_WEIGHTS)) return undefined;
  return { format: 'openclip', weights: [OPENCLIP_WEIGHTS], beside: [] };
}
