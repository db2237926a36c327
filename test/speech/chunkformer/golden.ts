/** What the published Python package makes of a small random checkpoint; written by test-models/golden-chunkformer.py. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The checkpoint's directory. */
export const CHECKPOINT = fileURLToPath(new URL('../../../../test/fixtures/chunkformer/', import.meta.url));

export interface GoldenSettings {
  readonly chunk_size: number;
  readonly left_context_size: number;
  readonly right_context_size: number;
  readonly total_batch_duration: number;
}

export interface Golden {
  readonly vocabulary: number;
  readonly runs: readonly {
    readonly name: string;
    readonly seconds: number;
    readonly settings: GoldenSettings;
    readonly items: readonly { readonly decode: string; readonly start: string; readonly end: string }[];
    /** [frames × vocabulary], float32 in base64. */
    readonly logProbs: string;
  }[];
  readonly batches: readonly {
    readonly seconds: readonly number[];
    readonly settings: GoldenSettings;
    readonly texts: readonly string[];
  }[];
  readonly fbank: {
    readonly seconds: number;
    readonly frames: number;
    readonly picked: readonly number[];
    readonly values: string;
  };
}

export function readGolden(): Golden {
  return JSON.parse(readFileSync(`${CHECKPOINT}golden.json`, 'utf8')) as Golden;
}

export function floats(base64: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer);
}
