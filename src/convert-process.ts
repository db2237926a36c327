/**
 * Entry of a process that converts one checkpoint and ends: the conversion holds the CPU for seconds and takes twice the model in
 * memory, which must be no other process's trouble. Arguments: kind, source, target, compute type. Sends one message:
 * `{}`, or `{ error: WireError }`.
 */
import { toWireError } from './base/errors.ts';
import type { ComputeType } from './graphs/layers.ts';
import { convertChunkFormer } from './speech/chunkformer/convert.ts';
import { convertWhisper } from './speech/whisper/convert.ts';
import { convertHailoWhisper } from './speech/whisper/hailo/convert.ts';
import type { ConvertedKind } from './store/catalogue-entry.ts';
import { convertClip } from './vision/clip/convert.ts';
import { convertHailoClip } from './vision/clip/hailo/convert.ts';

/** Each writes what its kind of model is loaded from. */
const CONVERTERS: Readonly<
  Record<ConvertedKind, (source: string, target: string, compute: ComputeType) => Promise<void>>
> = {
  whisper: convertWhisper,
  'whisper-hailo': convertHailoWhisper,
  chunkformer: convertChunkFormer,
  clip: convertClip,
  'clip-hailo': convertHailoClip,
};

const [kind, source, target, computeType] = process.argv.slice(2);
process.on('disconnect', () => process.exit(1));

CONVERTERS[kind as ConvertedKind](source!, target!, computeType as ComputeType).then(
  () => end({}),
  (thrown: unknown) => end({ error: toWireError(thrown) }),
);

function end(answer: unknown): void {
  process.send!(answer, () => process.disconnect());
}
