/** From sound to the encoder's rows: features, parts with what is kept of the part before, blocks one behind the other. */
import type { Sound } from '../../audio/sound.ts';
import { throwIfAborted } from '../../base/abort.ts';
import type { Stopwatch } from '../stopwatch.ts';
import { type BlockCache, BlockPass, emptyCache, reachOf } from './block-pass.ts';
import type { EncoderRuntime } from './encoder-runtime.ts';
import { type Fbank, frameCount } from './fbank.ts';
import { type Part, partsOf, RECEPTIVE_FEATURES, SUBSAMPLING } from './settings.ts';

export interface EncodeContext {
  readonly runtime: EncoderRuntime;
  readonly fbank: Fbank;
  readonly stopwatch: Stopwatch;
  readonly signal: AbortSignal;
}

/** Frames computed at once: enough for matrix products to be efficient, few enough for a recording to need little memory. */
const FRAMES_AT_ONCE = 128;
/** The first convolution needs 4 x 39 x width values for each frame. */
const FRAMES_EMBEDDED_AT_ONCE = 32;

/** Rows before the head, [frames × width]; each must be used before the next is asked for. Throws the signal's error. */
export async function* encode(sound: Sound, context: EncodeContext): AsyncGenerator<Float32Array> {
  const runtime = measured(context.runtime, context.stopwatch);
  const { sizes, settings } = runtime;
  const shape = { layers: sizes.layers, reach: reachOf(sizes.kernel) };
  let caches = Array.from({ length: sizes.layers }, () => emptyCache(runtime));
  for (const part of partsOf(frameCount(sound.length), settings, shape)) {
    const passes = passesOf(part, caches, { ...context, runtime });
    let rows = embed(sound, part, { ...context, runtime });
    for (const pass of passes) rows = pass.run(rows);
    yield* firstFrames(rows, { count: part.kept, width: sizes.width });
    caches = passes.map((pass) => pass.cache);
  }
}

/** Counts the time of the encoder's own work, not that of waiting for other recordings. */
function measured(runtime: EncoderRuntime, stopwatch: Stopwatch): EncoderRuntime {
  const timed =
    <T extends readonly unknown[]>(step: (...input: T) => Promise<void>) =>
    (...input: T) =>
      stopwatch.measureAsync('encoder', () => step(...input));
  return {
    ...runtime,
    embed: timed(runtime.embed),
    project: timed(runtime.project),
    attend: timed(runtime.attend),
    finish: timed(runtime.finish),
  };
}

function passesOf(
  part: Part,
  caches: readonly BlockCache[],
  { runtime, signal }: EncodeContext,
): BlockPass[] {
  const chunks = chunksAtOnce(runtime);
  const pause = async () => {
    // The runtime keeps the thread busy: messages and other recordings come between.
    await new Promise(setImmediate);
    throwIfAborted(signal);
  };
  return caches.map((cache, layer) => new BlockPass({ runtime, layer, part, cache, chunks, pause }));
}

function chunksAtOnce({ settings }: EncoderRuntime): number {
  return Math.max(1, Math.round(FRAMES_AT_ONCE / settings.chunkSize));
}

/** The rows of a part before the first block, whole chunks at a time; what is after its last frame is zero. */
async function* embed(sound: Sound, part: Part, context: EncodeContext): AsyncGenerator<Float32Array> {
  const { runtime, fbank, stopwatch } = context;
  const { width } = runtime.sizes;
  const { chunkSize } = runtime.settings;
  const block = chunksAtOnce(runtime) * chunkSize;
  for (let start = 0; start < part.frames; start += block) {
    const count = Math.min(block, part.frames - start);
    const rows = new Float32Array(Math.ceil(count / chunkSize) * chunkSize * width);
    for (let at = 0; at < count; at += FRAMES_EMBEDDED_AT_ONCE) {
      const frames = Math.min(FRAMES_EMBEDDED_AT_ONCE, count - at);
      const first = (part.start + start + at) * SUBSAMPLING;
      const end = first + (frames - 1) * SUBSAMPLING + RECEPTIVE_FEATURES;
      const features = await stopwatch.measureAsync('features', async () =>
        fbank.features(sound, first, end),
      );
      await runtime.embed(features, rows.subarray(at * width, (at + frames) * width));
    }
    yield rows;
  }
}

/** Ends the source when it has given enough: what it has computed ahead served the rows before. */
async function* firstFrames(
  source: AsyncGenerator<Float32Array>,
  { count, width }: { readonly count: number; readonly width: number },
): AsyncGenerator<Float32Array> {
  let left = count;
  for await (const rows of source) {
    const taken = Math.min(left, rows.length / width);
    yield rows.subarray(0, taken * width);
    left -= taken;
    if (left === 0) return;
  }
}
