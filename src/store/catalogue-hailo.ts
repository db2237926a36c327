/**
 * Models that are published compiled for Hailo's devices. The addresses are those of Hailo's own examples (hailo-apps, `download_resources.py`)
 * and of its model zoo; SHA-256 where somebody has published it.
 */
import type { CatalogueEntry, VendorFile } from './catalogue-entry.ts';

/** As names end here, and as Hailo's addresses do. */
const CHIPS = { hailo8: 'h8', hailo8l: 'h8l', hailo10h: 'h10h' } as const;
type Chip = keyof typeof CHIPS;

/** The newest release of the zoo for each chip that has these models. */
const ZOO_RELEASE: Readonly<Record<Chip, string>> = {
  hailo8: 'v2.18.0',
  hailo8l: 'v2.18.0',
  hailo10h: 'v5.1.1',
};

interface WhisperFacts {
  readonly variant: 'tiny' | 'tiny.en' | 'base';
  readonly chip: Chip;
  readonly encoder: string;
  readonly decoder: string;
}

const KNOWN_HASHES: Readonly<Record<string, string>> = {
  'tiny-whisper-encoder-10s_15dB.hef': '7f16242531c702a7aa4480e434823467e6a0df5ca9b10827cb3917daaf6aded1',
  'tiny-whisper-decoder-fixed-sequence-matmul-split.hef':
    'b7d87dd94c152a35484f7cdb30c011a9e92b6dcadb58d53df8c9005f81e3831d',
  'token_embedding_weight_tiny.npy': 'a449c89d80dd9839a42e733db31156d6608dcc5cb70dd33e8dd3991572ddef8e',
  'onnx_add_input_tiny.npy': 'd5d46b0fc05fd5d17c5db6e31c79c84a57ff2d787ea6cb2a4dbb3500f26c0765',
};

const SPLIT = 'whisper-decoder-fixed-sequence-matmul-split';

/** Parameters, and floats of a token's embedding. */
const SIZES = {
  tiny: { millions: 39, width: 384 },
  'tiny.en': { millions: 39, width: 384 },
  base: { millions: 74, width: 512 },
};
const VOCABULARY = 51_865;

/** Of each kind, those for the older chips first. */
export const HAILO_MODELS: readonly CatalogueEntry[] = [
  whisper({
    variant: 'tiny',
    chip: 'hailo8',
    encoder: 'tiny-whisper-encoder-10s_15dB',
    decoder: `tiny-${SPLIT}`,
  }),
  whisper({ variant: 'base', chip: 'hailo8', encoder: 'base-whisper-encoder-5s', decoder: `base-${SPLIT}` }),
  whisper({
    variant: 'tiny',
    chip: 'hailo8l',
    encoder: 'tiny-whisper-encoder-10s_15dB_h8l',
    decoder: `tiny-${SPLIT}_h8l`,
  }),
  whisper({
    variant: 'base',
    chip: 'hailo8l',
    encoder: 'base-whisper-encoder-5s_h8l',
    decoder: `base-${SPLIT}_h8l`,
  }),
  whisper({
    variant: 'tiny',
    chip: 'hailo10h',
    encoder: 'tiny-whisper-encoder-10s',
    decoder: 'tiny-whisper-decoder-fixed-sequence',
  }),
  whisper({
    variant: 'tiny.en',
    chip: 'hailo10h',
    encoder: 'tiny_en-whisper-encoder-10s',
    decoder: 'tiny_en-whisper-decoder-fixed-sequence',
  }),
  whisper({
    variant: 'base',
    chip: 'hailo10h',
    encoder: 'base-whisper-encoder-10s',
    decoder: 'base-whisper-decoder-10s-out-seq-64',
  }),
  ...(['hailo8', 'hailo8l', 'hailo10h'] as const).flatMap((chip) => [
    clip({ name: 'clip-vit-b-32', network: 'clip_vit_b_32', hub: 'openai/clip-vit-base-patch32', chip }),
    clip({ name: 'clip-vit-b-16', network: 'clip_vit_b_16', hub: 'openai/clip-vit-base-patch16', chip }),
  ]),
];

function whisper({ variant, chip, encoder, decoder }: WhisperFacts): CatalogueEntry {
  const { millions, width } = SIZES[variant];
  const spelt = variant.replace('.', '_');
  const tables = `npy%20files/whisper/decoder_assets/${spelt}/decoder_tokenization`;
  const file = (folder: string, path: string): VendorFile => {
    const sha256 = KNOWN_HASHES[path];
    return { path, place: 'hailoResources', address: `${folder}/${path}`, ...(sha256 && { sha256 }) };
  };
  return {
    name: `whisper-${variant}-${chip}`,
    kind: 'whisper-hailo',
    hub: `openai/whisper-${variant}`,
    packages: undefined,
    vendor: {
      files: [
        file(`whisper/${CHIPS[chip]}`, `${encoder}.hef`),
        file(`whisper/${CHIPS[chip]}`, `${decoder}.hef`),
        file(tables, `token_embedding_weight_${spelt}.npy`),
        file(tables, `onnx_add_input_${spelt}.npy`),
      ],
      beside: ['tokenizer.json', 'config.json', 'generation_config.json'],
      modelType: 'whisper',
    },
    licence: 'MIT',
    languages: variant.endsWith('.en') ? ['en'] : 'multilingual',
    parameters: millions * 1e6,
    // A byte for each parameter on the device, and the table of embeddings on the host.
    downloadBytes: millions * 1e6 + VOCABULARY * width * 4,
    companions: ['silero-vad'],
  };
}

interface ClipFacts {
  readonly name: string;
  readonly network: string;
  readonly hub: string;
  readonly chip: Chip;
}

function clip({ name, network, hub, chip }: ClipFacts): CatalogueEntry {
  const file = (path: string): VendorFile => ({
    path,
    place: 'hailoModelZoo',
    address: `${ZOO_RELEASE[chip]}/${chip}/${path}`,
  });
  return {
    name: `${name}-${chip}`,
    kind: 'clip-hailo',
    hub,
    packages: undefined,
    vendor: {
      files: [file(`${network}_image_encoder.hef`), file(`${network}_text_encoder.hef`)],
      beside: [
        'config.json',
        'preprocessor_config.json',
        'tokenizer.json',
        'vocab.json',
        'merges.txt',
        'model.safetensors',
      ],
      modelType: 'clip',
    },
    licence: 'MIT',
    languages: ['en'],
    parameters: 151e6,
    downloadBytes: 151e6 * 5,
    companions: [],
  };
}
