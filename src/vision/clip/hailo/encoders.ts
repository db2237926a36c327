/** CLIP's encoders where a Hailo device has the images, and the texts if it can: two networks share it. */
import type { HailoDevice } from '../../../backends/hailo/contract.ts';
import { AppError } from '../../../base/errors.ts';
import type { ConvertedClip } from '../description.ts';
import { startText } from '../encoder-thread.ts';
import type { ClipEncoders } from '../encoders.ts';
import type { TextTokenizer } from '../tokenizer.ts';
import type { HailoClipFiles } from './files.ts';
import { openHailoText, type TextEncoding } from './text-encoder.ts';

export type TextPlace = 'auto' | 'npu' | 'cpu';

export interface HailoEncodersStart {
  readonly device: HailoDevice;
  readonly files: HailoClipFiles;
  readonly described: ConvertedClip;
  readonly tokenizer: TextTokenizer;
  /** Directory of what `convert.ts` wrote. */
  readonly graphs: string;
  readonly threads: number;
  readonly textPlace: TextPlace;
  readonly positionAdd: boolean | 'auto';
}

/** What the device's texts are compared with the CPU's by; short, as the contexts of small models are. */
const SAMPLES = ['a cat', 'two red circles', 'a dog on the left'];

/** Throws `unsupported_model` for networks that do not fit the checkpoint, and what the device throws. */
export async function openHailoEncoders(start: HailoEncodersStart): Promise<ClipEncoders> {
  const { device, files, described } = start;
  const image = await device.open(files.image, { input: 'uint8', output: 'float32' });
  const { dimension, preprocessing } = described;
  const [pixels] = image.inputs;
  const [embedding] = image.outputs;
  const { width, height } = preprocessing.crop;
  const sees = pixels?.shape;
  if (image.inputs.length !== 1 || sees?.width !== width || sees.height !== height || sees.features !== 3)
    throw new AppError(
      'unsupported_model',
      `The image encoder ${image.name} sees ${sees?.width} x ${sees?.height} x ${sees?.features}, but the checkpoint beside it has pictures of ${width} x ${height} x 3 (preprocessor_config.json). Take the files of the model that was compiled.`,
    );
  const given = embedding && embedding.shape.height * embedding.shape.width * embedding.shape.features;
  if (image.outputs.length !== 1 || given !== dimension)
    throw new AppError(
      'unsupported_model',
      `The image encoder ${image.name} gives ${given} numbers, but the texts of the checkpoint beside it have ${dimension}. Take the files of the model that was compiled.`,
    );
  const text = await openText(start);
  return {
    async encodeImages(pictures) {
      const embeddings = new Float32Array(pictures.length * dimension);
      for (const [index, picture] of pictures.entries()) {
        const [values] = (await image.run([picture])) as [Float32Array]; // asked for as float32
        const length = Math.hypot(...values) || 1;
        embeddings.set(
          values.map((value) => value / length),
          index * dimension,
        );
      }
      return embeddings;
    },
    encodeTexts: text.encodeTexts,
    async close() {
      await text.close();
      await image.close();
    },
  };
}

/** On the device where that is wanted and possible; what it gives is compared with the CPU's first. */
async function openText(start: HailoEncodersStart): Promise<TextEncoding> {
  const { device, files, graphs, threads, textPlace, tokenizer, positionAdd } = start;
  const onCpu = await startText({ graphs, threads });
  if (textPlace === 'cpu' || (textPlace === 'auto' && files.text === undefined)) return onCpu;
  try {
    if (files.text === undefined)
      throw new AppError(
        'unsupported_model',
        'hailo.text_encoder is npu, but the model has no compiled text encoder (*text*.hef). Set it to auto or cpu.',
      );
    const network = await device.open(files.text, { input: 'float32', output: 'float32' });
    const samples = SAMPLES.map((sample) => tokenizer.encode(sample));
    const text = await openHailoText({ network, graphs, reference: onCpu, samples, positionAdd });
    await onCpu.close();
    return {
      encodeTexts: text.encodeTexts,
      async close() {
        await text.close();
        await network.close();
      },
    };
  } catch (error) {
    if (textPlace === 'npu' || !(error instanceof AppError) || error.code !== 'unsupported_model') {
      await onCpu.close();
      throw error;
    }
    // Kept in the log of the server, which has this process's standard error.
    console.error(`Texts are read on the CPU. ${error.message}`);
    return onCpu;
  }
}
