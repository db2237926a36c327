/** A CLIP model on a Hailo device, inside its model process. */
import type { HailoOptions } from '../../../backends/hailo/contract.ts';
import { openHailo } from '../../../backends/hailo/device.ts';
import type { LoadedModel, LoadSpec } from '../../../engine/protocol.ts';
import { readHailoSettings } from '../../../store/hailo-settings.ts';
import { readConvertedClip } from '../convert.ts';
import { type ClipLoadOptions, serveClip } from '../model.ts';
import { openTextTokenizer } from '../tokenizer.ts';
import { openHailoEncoders, type TextPlace } from './encoders.ts';
import { filesIn } from './files.ts';
import { settingsSchema } from './settings.ts';

export type HailoClipLoadOptions = ClipLoadOptions & {
  readonly hailo: HailoOptions & { readonly textEncoder: TextPlace };
};

/** Throws `unsupported_model`, and what the device throws. */
export async function load(spec: LoadSpec): Promise<LoadedModel> {
  const options = spec.options as unknown as HailoClipLoadOptions; // made by app.ts
  const { graphs, threads, hailo } = options;
  const described = readConvertedClip(graphs);
  const { position_add: positionAdd } = readHailoSettings(spec.directory, settingsSchema);
  const tokenizer = openTextTokenizer(spec.directory, described);
  const device = await openHailo(hailo);
  try {
    const encoders = await openHailoEncoders({
      device,
      files: filesIn(spec.directory),
      described,
      tokenizer,
      graphs,
      threads,
      textPlace: hailo.textEncoder,
      positionAdd,
    });
    const close = async () => {
      await encoders.close();
      await device.close();
    };
    return await serveClip({ described, tokenizer, encoders: { ...encoders, close } }, options);
  } catch (error) {
    await device.close();
    throw error;
  }
}
