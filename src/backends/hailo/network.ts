/**
 * One network on a device. Frames are answered one after another: written, then read, by calls that wait in a thread of Node's pool and
 * need one such thread at a time, so that a pool of one is enough.
 *
 * A run that is aborted while it waits for its turn ends at once. One that is under way is brought to its end, which is milliseconds or the
 * time-out, and its answer dropped: the library goes on using the caller's memory until then, and a frame that is half written or half read
 * would mix into the next. After a call that failed, a late frame could still come, so the network group is shut down and, before the next
 * run, configured anew: what belongs to the old group is never read again.
 */
import { throwIfAborted } from '../../base/abort.ts';
import { AppError } from '../../base/errors.ts';
import { type CheckedCalls, checkedCalls, wordAt } from './checked-calls.ts';
import type { HailoFormat, HailoFrame, HailoNetwork, HailoStream } from './contract.ts';
import { WORD_BYTES } from './layouts.ts';
import type { HailoLibrary } from './library.ts';
import {
  BYTES_OF,
  closeStreams,
  describeGroup,
  frameLength,
  type GroupShape,
  type OpenStreams,
  openStreams,
  type StreamOptions,
} from './streams.ts';
import { createTurns } from './turns.ts';

/** Opens a HEF whose chip was looked at before. Throws `unsupported_model` or `not_runnable`, with nothing left open. */
export async function openNetwork(
  library: HailoLibrary,
  { vdevice, hefPath }: { readonly vdevice: bigint; readonly hefPath: string },
  options: StreamOptions,
): Promise<HailoNetwork> {
  const doing = `Loading ${hefPath} on the Hailo device`;
  const loading = checkedCalls(library, doing, 'not_runnable');
  const handle = Buffer.alloc(WORD_BYTES);
  await checkedCalls(library, doing, 'unsupported_model').later('hailo_create_hef_file', handle, hefPath);
  const hef = wordAt(handle);
  try {
    const shape = describeGroup(loading, hef);
    const open = (calls: CheckedCalls) => openStreams(calls, { vdevice, hef, shape }, options);
    return createNetwork(library, { hef, shape, first: await open(loading), open }, options);
  } catch (thrown) {
    // The first failure is the one to tell.
    await loading.later('hailo_release_hef', hef).catch(() => {});
    throw thrown;
  }
}

interface Opened {
  readonly hef: bigint;
  readonly shape: GroupShape;
  readonly first: OpenStreams;
  open(calls: CheckedCalls): Promise<OpenStreams>;
}

function createNetwork(
  library: HailoLibrary,
  { hef, shape, first, open }: Opened,
  { formats }: StreamOptions,
): HailoNetwork {
  const running = checkedCalls(
    library,
    `Running the network ${shape.name} on the Hailo device`,
    'model_failed',
  );
  const closing = checkedCalls(
    library,
    `Closing the network ${shape.name} on the Hailo device`,
    'model_failed',
  );
  const turns = createTurns();
  /** Undefined after a failed call, until the next run. */
  let streams: OpenStreams | undefined = first;
  /** Whether frames are on their way. */
  let isTransferring = false;
  let closed: Promise<void> | undefined;

  const throwIfClosed = () => {
    if (closed !== undefined)
      throw new AppError('shutting_down', `The network ${shape.name} was closed on the Hailo device.`);
  };

  async function transfer(inputs: readonly HailoFrame[]): Promise<HailoFrame[]> {
    streams ??= await open(running);
    throwIfClosed();
    isTransferring = true;
    try {
      return await writeAndRead(running, streams, {
        inputs,
        outputs: newFrames(shape.outputs, formats.output),
      });
    } catch (thrown) {
      const lost = streams;
      streams = undefined;
      // The group is given up whatever closing it says; the failure of the run is the one to tell.
      await closeStreams(closing, lost).catch(() => {});
      throwIfClosed();
      throw thrown;
    } finally {
      isTransferring = false;
    }
  }

  async function release(): Promise<void> {
    // Where no thread is free for it, the run ends by its time-out.
    if (isTransferring && streams !== undefined)
      await library.call('hailo_shutdown_network_group', streams.group);
    await turns.take(undefined, async () => {
      try {
        if (streams !== undefined) await closeStreams(closing, streams);
      } finally {
        await closing.later('hailo_release_hef', hef);
      }
    });
  }

  return {
    name: shape.name,
    inputs: shape.inputs.map(plainStream),
    outputs: shape.outputs.map(plainStream),
    async run(inputs, signal) {
      throwIfClosed();
      checkFrames(shape, inputs, formats.input);
      return turns.take(signal, async () => {
        throwIfClosed();
        const outputs = await transfer(inputs);
        throwIfAborted(signal);
        return outputs;
      });
    },
    close() {
      closed ??= release();
      return closed;
    },
  };
}

async function writeAndRead(
  calls: CheckedCalls,
  streams: OpenStreams,
  { inputs, outputs }: { readonly inputs: readonly HailoFrame[]; readonly outputs: HailoFrame[] },
): Promise<HailoFrame[]> {
  for (const [index, frame] of inputs.entries())
    await calls.later('hailo_vstream_write_raw_buffer', streams.inputs[index]!, frame, frame.byteLength);
  for (const [index, frame] of outputs.entries())
    await calls.later('hailo_vstream_read_raw_buffer', streams.outputs[index]!, frame, frame.byteLength);
  return outputs;
}

/** A programmer's error is an assertion elsewhere; here it would be memory that the library reads past its end. */
function checkFrames({ name, inputs }: GroupShape, frames: readonly HailoFrame[], format: HailoFormat): void {
  if (frames.length !== inputs.length)
    throw new AppError(
      'model_failed',
      `The network ${name} has ${inputs.length} inputs, and was given ${frames.length}.`,
    );
  for (const [index, stream] of inputs.entries()) {
    const frame = frames[index]!;
    const expected = format === 'uint8' ? Uint8Array : Float32Array;
    if (!(frame instanceof expected) || frame.length !== frameLength(stream))
      throw new AppError(
        'model_failed',
        `The input ${stream.name} of the network ${name} takes ${frameLength(stream)} numbers as ${format}; it was given ${frame.length} of ${frame.BYTES_PER_ELEMENT * 8} bits.`,
      );
  }
}

function newFrames(streams: readonly HailoStream[], format: HailoFormat): HailoFrame[] {
  return streams.map((stream) => {
    const memory = new ArrayBuffer(frameLength(stream) * BYTES_OF[format]);
    return format === 'uint8' ? new Uint8Array(memory) : new Float32Array(memory);
  });
}

function plainStream({ name, shape }: HailoStream): HailoStream {
  return { name, shape };
}
