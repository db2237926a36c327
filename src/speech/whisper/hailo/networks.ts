/**
 * Whisper's two compiled networks, as the conversion for Hailo-8 leaves them (hailocs/hailo-whisper `export_whisper_model.py`):
 *
 * encoder   mel [1 × T × bins]  ->  hidden [1 × T/2 × width]
 * decoder   hidden, embedded [1 × S × width]  ->  logits [1 × S × vocabulary], cut into slices along the vocabulary
 *
 * T and S are fixed. There is no cache: each step reads all S tokens again.
 */

import type {
  HailoDevice,
  HailoFrame,
  HailoNetwork,
  HailoShape,
  HailoStream,
} from '../../../backends/hailo/contract.ts';
import { AppError } from '../../../base/errors.ts';
import type { HailoWhisperFiles } from './files.ts';

export interface WhisperNetworks {
  /** Mel frames of the window: T. */
  readonly frames: number;
  readonly melBins: number;
  readonly width: number;
  /** Tokens of the decoder's sequence: S. */
  readonly sequence: number;
  readonly vocabulary: number;
  /** `mel` [T × bins] to hidden [T/2 × width]. */
  encode(mel: Float32Array): Promise<Float32Array>;
  /** `embedded` [S × width] to what each place says comes next. */
  decode(hidden: Float32Array, embedded: Float32Array): Promise<LogitSlices>;
  close(): Promise<void>;
}

/** Logits [S × vocabulary], cut along the vocabulary. */
export interface LogitSlices {
  /** Writes the logits of one place into `target` [vocabulary]. */
  copyRow(row: number, target: Float32Array): void;
}

/** Throws `unsupported_model` for networks of other shapes, and what the device throws. */
export async function openWhisperNetworks(
  device: HailoDevice,
  files: Pick<HailoWhisperFiles, 'encoder' | 'decoder'>,
): Promise<WhisperNetworks> {
  const formats = { input: 'float32', output: 'float32' } as const;
  const encoder = await device.open(files.encoder, formats);
  const decoder = await device.open(files.decoder, formats);
  const [mel] = encoder.inputs;
  const [hidden] = encoder.outputs;
  if (mel === undefined || hidden === undefined || encoder.inputs.length > 1 || encoder.outputs.length > 1)
    throw wrongShape(files.encoder, encoder, 'one input and one output');
  const frames = rowsOf(mel.shape);
  const positions = rowsOf(hidden.shape);
  const width = hidden.shape.features;
  if (frames !== 2 * positions) throw wrongShape(files.encoder, encoder, 'half as many rows out as in');

  const { heard, embedded } = placesOf(decoder.inputs, { positions, width });
  if (decoder.inputs.length !== 2 || heard < 0 || embedded < 0)
    throw wrongShape(
      files.decoder,
      decoder,
      `two inputs, the encoder's ${positions} x ${width} and embeddings of that width`,
    );
  const sequence = rowsOf(decoder.inputs[embedded]!.shape);
  const slices = logitSlices(decoder.outputs, sequence);
  if (slices.length === 0)
    throw wrongShape(files.decoder, decoder, `slices of the vocabulary for ${sequence} tokens`);
  const widths = slices.map(({ stream }) => stream.shape.features);

  return {
    frames,
    melBins: mel.shape.features,
    width,
    sequence,
    vocabulary: widths.reduce((sum, slice) => sum + slice, 0),
    encode: async (input) => (await encoder.run([input]))[0] as Float32Array, // asked for as float32
    async decode(audio, tokens) {
      const inputs: HailoFrame[] = [];
      inputs[heard] = audio;
      inputs[embedded] = tokens;
      const outputs = (await decoder.run(inputs)) as Float32Array[]; // asked for as float32
      return {
        copyRow(row, target) {
          let at = 0;
          for (const { index, stream } of slices) {
            const { features } = stream.shape;
            target.set(outputs[index]!.subarray(row * features, (row + 1) * features), at);
            at += features;
          }
        },
      };
    },
    async close() {
      await decoder.close();
      await encoder.close();
    },
  };
}

/** Which input takes the audio, and which the tokens: -1 where none does. Their shapes tell, and where those are alike, their names. */
function placesOf(
  inputs: readonly HailoStream[],
  { positions, width }: { readonly positions: number; readonly width: number },
): { readonly heard: number; readonly embedded: number } {
  const fitting = inputs.flatMap(({ shape }, index) =>
    rowsOf(shape) === positions && shape.features === width ? [index] : [],
  );
  const heard = fitting.find((index) => inputs[index]!.name.endsWith(AUDIO_INPUT)) ?? fitting[0] ?? -1;
  const embedded = inputs.findIndex(({ shape }, index) => index !== heard && shape.features === width);
  return { heard, embedded };
}

/** As Hailo's converter names it, behind the name of the network. */
const AUDIO_INPUT = 'input_layer1';

interface Slice {
  /** Among the outputs. */
  readonly index: number;
  readonly stream: HailoStream;
}

/** In the HEF's own order; where layers of another kind are outputs too, those of the projection are convolutions by name. */
function logitSlices(outputs: readonly HailoStream[], sequence: number): Slice[] {
  const slices = outputs
    .map((stream, index) => ({ stream, index }))
    .filter(({ stream }) => rowsOf(stream.shape) === sequence);
  const named = slices.filter(({ stream }) => stream.name.includes('conv'));
  return named.length > 0 ? named : slices;
}

/** A sequence lies along the rows or along the columns of a picture one wide. */
function rowsOf({ height, width }: HailoShape): number {
  return height * width;
}

function wrongShape(path: string, { inputs, outputs }: HailoNetwork, expected: string): AppError {
  const said = (streams: readonly HailoStream[]) =>
    streams.map(({ name, shape }) => `${name} ${shape.height}x${shape.width}x${shape.features}`).join(', ');
  return new AppError(
    'unsupported_model',
    `${path} is not one half of a Whisper model as it is run here: expected ${expected}, got inputs ${said(inputs)} and outputs ${said(outputs)}.`,
  );
}
