/** Which files are a model that was compiled for a Hailo device: its networks (HEFs), and what the host needs beside them. */
import { AppError } from '../base/errors.ts';
import { chooseClipFiles } from './clip-files.ts';
import { HAILO_SETTINGS_FILE } from './hailo-settings.ts';

export interface HailoFiles {
  readonly kind: 'whisper-hailo' | 'clip-hailo';
  readonly format: 'hef';
  readonly files: readonly string[];
  readonly weights: readonly string[];
}

/** What a file is, by the name that its maker gave it and that is kept. */
export const HAILO_FILES = {
  network: /\.hef$/i,
  decoder: /decoder.*\.hef$/i,
  encoder: /encoder.*\.hef$/i,
  text: /text.*\.hef$/i,
  embedding: /^token_embedding.*\.npy$/i,
  positions: /^(onnx_add_input|position).*\.npy$/i,
} as const;
/** What Whisper's tokens are read from. */
const WHISPER_FILES = ['tokenizer.json', 'config.json', 'generation_config.json', HAILO_SETTINGS_FILE];

/** Undefined where there is no HEF. Throws `unsupported_model` for HEFs without what belongs to them. */
export function chooseHailoFiles(
  names: readonly string[],
  origin: string,
  modelType: string | undefined,
): HailoFiles | undefined {
  const networks = names.filter((name) => HAILO_FILES.network.test(name)).sort();
  if (networks.length === 0) return undefined;
  const rest = names.filter((name) => !HAILO_FILES.network.test(name));
  return networks.some((name) => HAILO_FILES.decoder.test(name))
    ? whisperFiles(networks, rest, origin)
    : clipFiles({ networks, names: rest, modelType }, origin);
}

function whisperFiles(networks: readonly string[], names: readonly string[], origin: string): HailoFiles {
  const encoders = networks.filter(
    (name) => HAILO_FILES.encoder.test(name) && !HAILO_FILES.decoder.test(name),
  );
  if (networks.length !== 2 || encoders.length !== 1)
    throw refuse(
      origin,
      `holds ${networks.join(', ')}; one *encoder*.hef and one *decoder*.hef are expected`,
    );
  const tables = names.filter((name) => HAILO_FILES.embedding.test(name) || HAILO_FILES.positions.test(name));
  if (!tables.some((name) => HAILO_FILES.embedding.test(name)))
    throw refuse(origin, 'has no token_embedding*.npy, which Hailo publishes beside the networks');
  const small = names.filter((name) => WHISPER_FILES.includes(name));
  if (!small.includes('tokenizer.json') || !small.some((name) => /config\.json$/.test(name)))
    throw refuse(
      origin,
      'needs tokenizer.json and generation_config.json; take them from the repository of the Whisper model that was compiled, such as openai/whisper-tiny',
    );
  const weights = [...networks, ...tables];
  return { kind: 'whisper-hailo', format: 'hef', files: [...small, ...weights], weights };
}

function clipFiles(
  {
    networks,
    names,
    modelType,
  }: { networks: readonly string[]; names: readonly string[]; modelType: string | undefined },
  origin: string,
): HailoFiles {
  const images = networks.filter((name) => !HAILO_FILES.text.test(name));
  if (images.length !== 1 || networks.length > 2)
    throw refuse(
      origin,
      `holds ${networks.join(', ')}; one image encoder, and one *text*.hef at most, are expected`,
    );
  const checkpoint = chooseClipFiles(names, origin, modelType);
  if (checkpoint === undefined || checkpoint.format === 'onnx')
    throw refuse(
      origin,
      'needs the checkpoint that was compiled (config.json, tokenizer.json, model.safetensors), for its texts, its projection and its scale; take it from the hub, such as openai/clip-vit-base-patch32',
    );
  const small = [...checkpoint.files, ...names.filter((name) => name === HAILO_SETTINGS_FILE)];
  return {
    kind: 'clip-hailo',
    format: 'hef',
    files: [...small, ...networks],
    weights: [...checkpoint.weights, ...networks],
  };
}

function refuse(origin: string, what: string): AppError {
  return new AppError('unsupported_model', `${origin} ${what}.`);
}
