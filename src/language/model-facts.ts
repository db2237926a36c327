/** What an installed language model says of itself, before it is loaded. */
import assert from 'node:assert';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeGguf, type GgufDescription, SAMPLING_PREFIX } from '../graphs/gguf-description.ts';
import { readGgufMetadata } from '../graphs/gguf-metadata.ts';
import type { InstalledModel } from '../store/store.ts';
import { expected, fits, type SettingName, type SettingSource, type SettingsLayer } from './settings.ts';
import { readTemplateBeside } from './template-beside.ts';

export interface ModelFacts {
  readonly description: GgufDescription;
  /** The chat template beside the weights, else the one inside; undefined where there is neither. */
  readonly template: string | undefined;
  /** How its makers draw tokens: generation_config.json beside the weights goes before what the weights hold. */
  readonly layers: readonly SettingsLayer[];
  /** What they say that cannot be, and is not followed; each with its origin and the reason. */
  readonly skipped: readonly string[];
}

const GENERATION_CONFIG = 'generation_config.json';

/** https://huggingface.co/docs/transformers/main_classes/text_generation#transformers.GenerationConfig */
const HUGGING_FACE_NAMES: Readonly<Record<string, SettingName>> = {
  temperature: 'temperature',
  top_p: 'topP',
  top_k: 'topK',
  min_p: 'minP',
  repetition_penalty: 'repeatPenalty',
  max_new_tokens: 'maxTokens',
};

/** Below `general.sampling.`, as llama.cpp's converter writes what it finds in generation_config.json (gguf-py/gguf/constants.py). */
const GGUF_NAMES: Readonly<Record<string, SettingName>> = {
  temp: 'temperature',
  top_p: 'topP',
  top_k: 'topK',
  min_p: 'minP',
  penalty_repeat: 'repeatPenalty',
};

/** Throws `unsupported_model` for weights that cannot be read. */
export async function readModelFacts({ manifest, directory }: InstalledModel): Promise<ModelFacts> {
  const paths = manifest.files.map(({ path }) => path).sort();
  // Of a model in parts, the first part has the metadata.
  const weights = paths.find((path) => path.toLowerCase().endsWith('.gguf'));
  assert(weights !== undefined, `${manifest.name} holds no GGUF file`);
  const description = describeGguf(await readGgufMetadata(join(directory, weights)));
  const skipped: string[] = [];
  const layers = [ggufLayer(description, { weights, skipped })];
  if (paths.includes(GENERATION_CONFIG)) {
    const text = await readFile(join(directory, GENERATION_CONFIG), 'utf8');
    layers.unshift(generationConfigLayer(text, skipped));
  }
  const beside = await readTemplateBeside(directory, { files: paths, skipped });
  return { description, template: beside ?? description.chatTemplate, layers, skipped };
}

/** The text of a generation_config.json; adds what is not followed to `skipped`. */
function generationConfigLayer(text: string, skipped: string[]): SettingsLayer {
  const config = parseObject(text);
  if (config === undefined) {
    skipped.push(`${GENERATION_CONFIG} is not a JSON object.`);
    return new Map();
  }
  const written = Object.entries(HUGGING_FACE_NAMES).map(([key, name]) => ({
    key,
    name,
    value: config[key],
  }));
  const layer = layerOf(written, { file: GENERATION_CONFIG, skipped });
  // Its makers take the likeliest token, whatever else they leave in the file.
  if (config['do_sample'] === false)
    layer.set('temperature', { value: 0, origin: `${GENERATION_CONFIG}: do_sample` });
  return layer;
}

function ggufLayer(
  { sampling }: GgufDescription,
  { weights, skipped }: { readonly weights: string; readonly skipped: string[] },
): SettingsLayer {
  const written = Object.entries(GGUF_NAMES).map(([key, name]) => ({
    key: `${SAMPLING_PREFIX}${key}`,
    name,
    value: sampling.get(key),
  }));
  return layerOf(written, { file: weights, skipped });
}

interface WrittenSetting {
  readonly key: string;
  readonly name: SettingName;
  readonly value: unknown;
}

/** Those that are set and can be; adds the others that are set to `skipped`. */
function layerOf(
  written: readonly WrittenSetting[],
  { file, skipped }: { readonly file: string; readonly skipped: string[] },
): Map<SettingName, SettingSource> {
  const layer = new Map<SettingName, SettingSource>();
  for (const { key, name, value } of written) {
    // transformers writes null for what is not set.
    if (value === undefined || value === null) continue;
    const origin = `${file}: ${key}`;
    if (fits(name, value)) layer.set(name, { value, origin });
    else skipped.push(`${origin} is expected to be ${expected(name)}, got ${shown(value)}.`);
  }
  return layer;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function shown(value: unknown): string {
  const text = typeof value === 'object' || typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
