/** What made a result, in the spelling of the contract. Equal versions and equal recordings give equal results; nothing of time is here. */
import type { Json } from '../jobs/task.ts';
import type { Prompt } from './prompts.ts';
import type { Template } from './read-template.ts';
import type { AsrVersion, WriterVersion } from './tools.ts';
import { SEED } from './writer.ts';

/** Raised with every change to what the stages do with equal models, settings and prompts. */
export const PIPELINE_VERSION = '1.0.0';

export interface Versions {
  readonly pipeline_version: string;
  readonly asr_backend: AsrVersion;
  /** Null where no model cleaned anything, as for `summarization_llm`. */
  readonly enhancement_llm: LlmVersion | null;
  readonly summarization_llm: LlmVersion | null;
}

export interface LlmVersion extends WriterVersion {
  readonly task: 'text_enhancement' | 'summarization';
  readonly structured_output: StructuredOutput | null;
  /** SHA-256 of each prompt that was used, by name. */
  readonly prompt_hashes: { readonly [name: string]: string };
}

export interface StructuredOutput {
  /** What enforced it: `gbnf`, `json_schema`. */
  readonly backend: string;
  readonly template_id: string;
  readonly template_version: string;
  readonly schema_hash: string;
}

export function versionsOf(
  asr: AsrVersion,
  { enhancement, summary }: { readonly enhancement?: LlmVersion; readonly summary?: LlmVersion } = {},
): Versions {
  return {
    pipeline_version: PIPELINE_VERSION,
    asr_backend: asr,
    enhancement_llm: enhancement ?? null,
    summarization_llm: summary ?? null,
  };
}

/** `maxTokens`: of any answer; each has its own limit by the length of its part. */
export function enhancementVersion(
  version: WriterVersion,
  { prompt, maxTokens }: { readonly prompt: Prompt; readonly maxTokens: number },
): LlmVersion {
  const decoding_params = { ...version.decoding_params, max_tokens: maxTokens };
  return llmVersion(
    { ...version, decoding_params },
    { task: 'text_enhancement', structured_output: null, prompts: [prompt] },
  );
}

export function summaryVersion(
  version: WriterVersion,
  used: {
    readonly template: Template;
    readonly backend: string;
    readonly prompts: readonly Prompt[];
  },
): LlmVersion {
  const { template, backend, prompts } = used;
  return llmVersion(version, {
    task: 'summarization',
    structured_output: {
      backend,
      template_id: template.id,
      template_version: template.version,
      schema_hash: template.schemaHash,
    },
    prompts,
  });
}

function llmVersion(
  version: WriterVersion,
  {
    prompts,
    ...more
  }: Pick<LlmVersion, 'task' | 'structured_output'> & { readonly prompts: readonly Prompt[] },
): LlmVersion {
  const params: { readonly [key: string]: Json } = { ...version.decoding_params, seed: SEED };
  return {
    ...version,
    ...more,
    decoding_params: params,
    prompt_hashes: Object.fromEntries(prompts.map(({ name, hash }) => [name, hash])),
  };
}
