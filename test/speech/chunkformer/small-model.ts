/** The small random checkpoint, ready to run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { openChunkFormerCheckpoint } from '../../../src/speech/chunkformer/checkpoint.ts';
import { convertChunkFormer } from '../../../src/speech/chunkformer/convert.ts';
import { type EncoderRuntime, openEncoderRuntime } from '../../../src/speech/chunkformer/encoder-runtime.ts';
import type { ChunkSettings } from '../../../src/speech/chunkformer/settings.ts';
import { CHECKPOINT } from './golden.ts';

type WithRuntime = <T>(settings: ChunkSettings, work: (runtime: EncoderRuntime) => Promise<T>) => Promise<T>;

/** Converts it before the tests of a file; what is returned opens it for some work. */
export function useSmallModel(): WithRuntime {
  let graphs: string;
  before(async () => {
    graphs = mkdtempSync(join(tmpdir(), 'percept-chunkformer-'));
    await convertChunkFormer(CHECKPOINT, graphs);
  });
  after(() => rmSync(graphs, { recursive: true }));
  return async (settings, work) => {
    const checkpoint = openChunkFormerCheckpoint(CHECKPOINT);
    checkpoint.close();
    const runtime = await openEncoderRuntime(graphs, { sizes: checkpoint.sizes, settings, threads: 1 });
    try {
      return await work(runtime);
    } finally {
      await runtime.close();
    }
  };
}
