/** Turns a Whisper checkpoint into the two graphs that the decoding loop runs. Takes seconds and about twice the model in memory. */
import { join } from 'node:path';
import { GraphBuilder } from '../../graphs/graph-builder.ts';
import type { ComputeType } from '../../graphs/layers.ts';
import { readAlignmentHeads } from './alignment-heads.ts';
import { openWhisperCheckpoint } from './checkpoint.ts';
import { buildDecoder } from './decoder-graph.ts';
import { buildEncoder } from './encoder-graph.ts';
import { readTokens } from './tokens.ts';

/** Part of the key under which converted graphs are cached: raise it with every change to the graphs. */
export const CONVERTER_VERSION = 4;

export const ENCODER_FILE = 'encoder.onnx';
export const DECODER_FILE = 'decoder.onnx';

/** Writes the graphs of the checkpoint in `source` into the directory `target`. Throws `unsupported_model`. */
export async function convertWhisper(source: string, target: string, compute: ComputeType): Promise<void> {
  const checkpoint = openWhisperCheckpoint(source);
  try {
    const encoder = new GraphBuilder('whisper-encoder');
    buildEncoder(encoder, checkpoint, compute);
    await encoder.write(join(target, ENCODER_FILE));

    const decoder = new GraphBuilder('whisper-decoder');
    buildDecoder(
      { graph: decoder, checkpoint, compute },
      readTokens(source, checkpoint.sizes.vocabulary),
      readAlignmentHeads(source, checkpoint.sizes),
    );
    await decoder.write(join(target, DECODER_FILE));
  } finally {
    checkpoint.close();
  }
}
