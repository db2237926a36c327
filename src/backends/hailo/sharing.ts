import { isHailo8 } from './chips.ts';
import type { HailoOptions } from './contract.ts';
import { readHef } from './hef.ts';

/**
 * What only one process may hold at a time when it loads the network in `hefPath`; undefined where processes share. A Hailo-8 is driven by HailoRT
 * 4.x, which gives it to one process at a time; the later chips are shared by software of their own, a Hailo-10H by the bridge as well. Throws
 * `unsupported_model` for what is no HEF.
 */
export async function deviceOf(
  hefPath: string,
  { multiProcessService }: Pick<HailoOptions, 'multiProcessService'>,
): Promise<string | undefined> {
  const { chip } = await readHef(hefPath);
  return isHailo8(chip) && !multiProcessService ? 'hailo' : undefined;
}
