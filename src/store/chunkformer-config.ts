/** ChunkFormer's config.yaml: whether the model is one that Percept can run. */
import { parse } from 'yaml';
import { z } from 'zod';
import { AppError } from '../base/errors.ts';

/** What the weights themselves do not tell. */
export interface ChunkFormerConfig {
  /** Bands of the filter bank. */
  readonly bins: number;
  /** Epsilon of the layer norm after the last block. */
  readonly lastNormEpsilon: number;
  /** Features are normalised by the statistics in `global_cmvn`. */
  readonly isNormalised: boolean;
}

/** A real one has a few kilobytes. */
const MAX_BYTES = 2 ** 20;

const section = z.record(z.string(), z.unknown());
const schema = z
  .looseObject({
    input_dim: z.int().min(20).max(256),
    encoder_conf: section,
    ctc_conf: section.nullish(),
    fbank_conf: section.nullish(),
    resample_conf: section.nullish(),
  })
  .transform((fields) => fields as typeof fields & Record<string, unknown>);

interface Rule {
  /** `section.key`, or a key of the file itself. */
  readonly key: string;
  /** What the Python package takes when the file does not say. */
  readonly fallback: unknown;
  readonly allowed: readonly unknown[];
  readonly remedy?: string;
}

const CTC_ONLY =
  'Only CTC models can be run; take a CTC checkpoint, such as khanhld/chunkformer-ctc-large-vie.';

const RULES: readonly Rule[] = [
  { key: 'encoder', fallback: 'chunkformer', allowed: ['chunkformer'] },
  { key: 'model', fallback: 'asr_model', allowed: ['asr_model'], remedy: CTC_ONLY },
  { key: 'decoder', fallback: 'transformer', allowed: ['transformer', 'bitransformer'] },
  { key: 'ctc', fallback: 'ctc', allowed: ['ctc'], remedy: CTC_ONLY },
  { key: 'ctc_conf.ctc_blank_id', fallback: 0, allowed: [0] },
  { key: 'encoder_conf.input_layer', fallback: 'dw_striding', allowed: ['dw_striding'] },
  { key: 'encoder_conf.pos_enc_layer_type', fallback: 'chunk_rel_pos', allowed: ['chunk_rel_pos'] },
  {
    key: 'encoder_conf.selfattention_layer_type',
    fallback: 'chunk_rel_seflattn',
    allowed: ['chunk_rel_seflattn'],
  },
  { key: 'encoder_conf.activation_type', fallback: 'swish', allowed: ['swish'] },
  { key: 'encoder_conf.normalize_before', fallback: true, allowed: [true] },
  { key: 'encoder_conf.macaron_style', fallback: true, allowed: [true] },
  { key: 'encoder_conf.use_cnn_module', fallback: true, allowed: [true] },
  { key: 'encoder_conf.causal', fallback: false, allowed: [false] },
  { key: 'encoder_conf.cnn_module_norm', fallback: 'batch_norm', allowed: ['layer_norm'] },
  {
    key: 'encoder_conf.dynamic_conv',
    fallback: false,
    allowed: [true],
    remedy: 'Only models trained for chunks can be run in chunks; take one trained with dynamic_conv.',
  },
  { key: 'encoder_conf.layer_norm_type', fallback: 'layer_norm', allowed: ['layer_norm'] },
  { key: 'fbank_conf.frame_length', fallback: 25, allowed: [25] },
  { key: 'fbank_conf.frame_shift', fallback: 10, allowed: [10] },
  { key: 'resample_conf.resample_rate', fallback: 16_000, allowed: [16_000] },
];

/** Reads the text of a config.yaml; `origin` is for messages. Throws `unsupported_model`, naming the key. */
export function readChunkFormerConfig(text: string, origin: string): ChunkFormerConfig {
  const parsed = schema.safeParse(parseYaml(text, origin));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const key = issue?.path.join('.') || 'the whole';
    throw refuse(origin, `its config.yaml is none of ChunkFormer's: ${key}: ${issue?.message}.`);
  }
  const config = parsed.data;
  for (const { key, fallback, allowed, remedy = '' } of RULES) {
    const value = fieldOf(config, key) ?? fallback;
    if (allowed.includes(value)) continue;
    const expected = allowed.map((one) => JSON.stringify(one)).join(' or ');
    throw refuse(
      origin,
      `its config.yaml has ${key}: ${JSON.stringify(value)}, expected ${expected}. ${remedy}`,
    );
  }
  const bins = fieldOf(config, 'fbank_conf.num_mel_bins') ?? 80;
  if (bins !== config.input_dim)
    throw refuse(origin, `its config.yaml has input_dim: ${config.input_dim}, but ${String(bins)} mel bins.`);
  return {
    bins: config.input_dim,
    lastNormEpsilon: z.number().positive().catch(1e-5).parse(config.encoder_conf['norm_eps']),
    isNormalised: config['cmvn'] === 'global_cmvn',
  };
}

function parseYaml(text: string, origin: string): unknown {
  if (text.length > MAX_BYTES) throw refuse(origin, `its config.yaml has ${text.length} characters.`);
  try {
    // Tags that only Python knows are read as what they stand on.
    return parse(text, { logLevel: 'error' });
  } catch (cause) {
    throw refuse(origin, 'its config.yaml is not YAML.', cause);
  }
}

function fieldOf(config: Readonly<Record<string, unknown>>, key: string): unknown {
  const [first = '', second] = key.split('.');
  const value = config[first];
  if (second === undefined || typeof value !== 'object' || value === null)
    return second === undefined ? value : undefined;
  return (value as Record<string, unknown>)[second];
}

function refuse(origin: string, problem: string, cause?: unknown): AppError {
  return new AppError(
    'unsupported_model',
    `${origin} cannot be run as a ChunkFormer model: ${problem.trim()}`,
    { cause },
  );
}
