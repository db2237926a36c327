import type { HailoOptions } from './contract.ts';
import { readHef } from './hef.ts';

/** Chips whose driver gives the device to one process at a time (HailoRT 4.x); the newer ones are shared by their own software. */
const FOR_ONE_PROCESS = /^hailo8/;

/**
 * What only one process may hold at a time when it loads the network in `hefPath`; undefined where processes share. Throws
 * `unsupported_model` for what is no HEF.
 */
export async function deviceOf(
  hefPath: string,
  { multiProcessService }: Pick<HailoOptions, 'multiProcessService'>,
): Promise<string | undefined> {
  const { architecture } = await readHef(hefPath);
  return FOR_ONE_PROCESS.test(architecture) && !multiProcessService ? 'hailo' : undefined;
}
