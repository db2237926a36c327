/**
 * A Whisper model in the shape in which it is compiled for a Hailo-8: windows of one length, sequences of one length, no cache, logits in four slices. Made of
 * a checkpoint at float32 and run by ONNX Runtime, it answers for the device in tests of the pipeline around it. What quantisation and the device
 * do to it is not shown by that.
 */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type OnnxSession, openOnnxSession } from '../../src/backends/onnx.ts';
import { GraphBuilder, type Value } from '../../src/graphs/graph-builder.ts';
import { linear, linearGelu, withoutBias } from '../../src/graphs/layers.ts';
import { writeNpy } from '../../src/graphs/npy.ts';
import { float32, int64 } from '../../src/graphs/tensor.ts';
import { addAndNorm, attend, layerNorm } from '../../src/graphs/transformer.ts';
import { openWhisperCheckpoint, type WhisperCheckpoint } from '../../src/speech/whisper/checkpoint.ts';
import { encodeAudio } from '../../src/speech/whisper/encoder-graph.ts';
import type { PlayedNetwork } from '../../test/support/hailo-player.ts';
import { type SyntheticLayer, writeHef } from '../../test/support/hef.ts';

export interface FixedShape {
  /** Length of the window. */
  readonly seconds: number;
  /** Tokens of the sequence. */
  readonly sequence: number;
  /** The decoder adds the positions itself; otherwise the host must. */
  readonly hasPositions: boolean;
  /** What its HEFs are written for; a Hailo-8 unless given. */
  readonly architecture?: 'HAILO8P' | 'HAILO10H';
}

export interface FixedWhisper {
  /** To be imported. */
  readonly directory: string;
  readonly networks: Readonly<Record<string, PlayedNetwork>>;
  close(): Promise<void>;
}

const FLOAT = { compute: 'float32' } as const;
/** As Hailo's converter cuts the vocabulary. */
const SLICES = 4;

/** Writes the files of the model into `directory`, made of the checkpoint in `source`. */
export async function fixedWhisper(
  source: string,
  directory: string,
  shape: FixedShape,
): Promise<FixedWhisper> {
  const checkpoint = openWhisperCheckpoint(source);
  await mkdir(directory, { recursive: true });
  const { width, melBins, vocabulary } = checkpoint.sizes;
  const { architecture = 'HAILO8P' } = shape;
  const frames = 100 * shape.seconds;
  const positions = frames / 2;
  const cuts = slicesOf(vocabulary);
  await Promise.all(
    ['tokenizer.json', 'config.json'].map((name) => copyFile(join(source, name), join(directory, name))),
  );
  const { sequence } = shape;
  await writeNpy(join(directory, 'token_embedding_weight.npy'), checkpoint.tokens(), [vocabulary, width]);
  const placed = checkpoint.textPositions().slice(0, sequence * width);
  await writeNpy(join(directory, 'onnx_add_input.npy'), placed, [sequence, width]);
  const layer = (name: string, [rows, columns]: readonly [number, number]): SyntheticLayer => ({
    name,
    shape: [1, rows, columns],
  });
  await writeFile(
    join(directory, 'fixed-whisper-encoder.hef'),
    writeHef({
      architecture,
      groups: [
        {
          name: 'encoder',
          inputs: [layer('encoder/input_layer1', [frames, melBins])],
          outputs: [layer('encoder/ln1', [positions, width])],
        },
      ],
    }),
  );
  await writeFile(
    join(directory, 'fixed-whisper-decoder.hef'),
    writeHef({
      architecture,
      groups: [
        {
          name: 'decoder',
          inputs: [
            layer('decoder/input_layer1', [positions, width]),
            layer('decoder/input_layer2', [sequence, width]),
          ],
          outputs: cuts.map((count, index) => layer(`decoder/conv${49 + index}`, [sequence, count])),
        },
      ],
    }),
  );
  const encoder = await sessionOf(directory, 'encoder', (graph) => buildEncoder(graph, checkpoint, frames));
  const decoder = await sessionOf(directory, 'decoder', (graph) =>
    buildDecoder(graph, checkpoint, { ...shape, positions, cuts }),
  );
  checkpoint.close();
  return {
    directory,
    networks: {
      encoder: async ([mel]) => {
        const { hidden } = await encoder.run({ mel: { data: mel!, dims: [1, frames, melBins] } }, ['hidden']);
        return [hidden!.data as Float32Array];
      },
      decoder: async ([hidden, embedded]) => {
        const names = cuts.map((_, index) => `logits_${index}`);
        const outputs = await decoder.run(
          {
            hidden: { data: hidden!, dims: [1, positions, width] },
            embedded: { data: embedded!, dims: [1, sequence, width] },
          },
          names,
        );
        return names.map((name) => outputs[name]!.data as Float32Array);
      },
    },
    async close() {
      await encoder.close();
      await decoder.close();
    },
  };
}

function slicesOf(vocabulary: number): number[] {
  const usual = Math.floor(vocabulary / SLICES);
  return Array.from({ length: SLICES }, (_, index) =>
    index + 1 < SLICES ? usual : vocabulary - usual * (SLICES - 1),
  );
}

async function sessionOf(
  directory: string,
  name: string,
  build: (graph: GraphBuilder) => void,
): Promise<OnnxSession> {
  const graph = new GraphBuilder(name);
  build(graph);
  const folder = join(directory, 'played');
  await mkdir(folder, { recursive: true });
  await graph.write(join(folder, `${name}.onnx`));
  return openOnnxSession(join(folder, `${name}.onnx`), { threads: 2, spins: true });
}

function buildEncoder(graph: GraphBuilder, checkpoint: WhisperCheckpoint, frames: number): void {
  const { width, melBins } = checkpoint.sizes;
  const mel = graph.input('mel', 'float32', [1, frames, melBins]);
  const turned = graph.node('Transpose', [mel], { attributes: { perm: [0, 2, 1] } });
  const hidden = encodeAudio(graph, turned, { checkpoint, ...FLOAT });
  graph.output('hidden', hidden, { type: 'float32', dims: [1, frames / 2, width] });
}

function buildDecoder(
  graph: GraphBuilder,
  checkpoint: WhisperCheckpoint,
  shape: FixedShape & { readonly positions: number; readonly cuts: readonly number[] },
): void {
  const { width, heads, decoderLayers, vocabulary } = checkpoint.sizes;
  const { sequence, positions, hasPositions, cuts } = shape;
  const hidden = graph.input('hidden', 'float32', [1, positions, width]);
  let stream: Value = graph.input('embedded', 'float32', [1, sequence, width]);
  if (hasPositions) {
    const placed = checkpoint.textPositions().slice(0, sequence * width);
    stream = graph.node('Add', [stream, graph.constant(float32(placed, [1, sequence, width]))]);
  }
  let normed = layerNorm(graph, stream, checkpoint.norm('decoder', { layer: 0, before: 'self' }));
  for (let layer = 0; layer < decoderLayers; layer += 1) {
    const self = checkpoint.attention('decoder', layer, 'self');
    const said = attend(graph, normed, { attention: self, heads, isCausal: true, ...FLOAT });
    const spoken = linear(graph, said, { layer: withoutBias(self.output), ...FLOAT });
    [normed, stream] = addAndNorm(graph, [spoken, stream], {
      norm: checkpoint.norm('decoder', { layer, before: 'cross' }),
      bias: self.output.bias!,
    });
    const cross = checkpoint.attention('decoder', layer, 'cross');
    const heard = attend(graph, hidden, { attention: cross, heads, asking: normed, ...FLOAT });
    const listened = linear(graph, heard, { layer: withoutBias(cross.output), ...FLOAT });
    [normed, stream] = addAndNorm(graph, [listened, stream], {
      norm: checkpoint.norm('decoder', { layer, before: 'feedForward' }),
      bias: cross.output.bias!,
    });
    const { expand, contract } = checkpoint.feedForward('decoder', layer);
    const expanded = linearGelu(graph, normed, { layer: expand, ...FLOAT });
    const contracted = linear(graph, expanded, { layer: withoutBias(contract), ...FLOAT });
    const isLast = layer + 1 === decoderLayers;
    [normed, stream] = addAndNorm(graph, [contracted, stream], {
      norm: checkpoint.norm('decoder', isLast ? 'last' : { layer: layer + 1, before: 'self' }),
      bias: contract.bias!,
    });
  }
  const table = graph.constant(float32(checkpoint.tokens(), [vocabulary, width]));
  const turned = graph.node('Transpose', [table], { attributes: { perm: [1, 0] } });
  const logits = graph.node('MatMul', [normed, turned]);
  const parts = graph.nodes('Split', [logits, graph.constant(int64(cuts))], {
    attributes: { axis: -1 },
    outputs: cuts.length,
  });
  for (const [index, part] of parts.entries())
    graph.output(`logits_${index}`, part, { type: 'float32', dims: [1, sequence, cuts[index]!] });
}
