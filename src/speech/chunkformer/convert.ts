/** Turns a ChunkFormer checkpoint into the graphs that the encoder runs and the weights of its blocks. Takes seconds. */
import { join } from 'node:path';
import { writeSafetensors } from '../../graphs/safetensors-file.ts';
import { openChunkFormerCheckpoint } from './checkpoint.ts';
import { buildGraphs } from './graphs.ts';
import { layerWeights } from './layer-weights.ts';
import { readVocabulary } from './vocabulary.ts';

/** Part of the key under which the result is cached: raise it with every change to the graphs or weights. */
export const CONVERTER_VERSION = 1;

/** Reads the checkpoint in `source`, writes into the directory `target`. Throws `unsupported_model`. */
export async function convertChunkFormer(source: string, target: string): Promise<void> {
  const checkpoint = openChunkFormerCheckpoint(source);
  try {
    // Read here only to tell early what is wrong with it.
    readVocabulary(join(source, 'vocab.txt'), checkpoint.sizes.vocabulary);
    for (const [name, graph] of Object.entries(buildGraphs(checkpoint)))
      await graph.write(join(target, `${name}.onnx`));
    const layers = Array.from({ length: checkpoint.sizes.layers }, (_, layer) =>
      layerWeights(checkpoint, layer).map((tensor) => ({ ...tensor, name: `${layer}.${tensor.name}` })),
    );
    await writeSafetensors(join(target, 'model.safetensors'), layers.flat());
  } finally {
    checkpoint.close();
  }
}
