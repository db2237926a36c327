/**
 * One network on a device, whichever way its frames take. They are answered one after another, by calls that wait in a thread of Node's pool and
 * need one such thread at a time, so that a pool of one is enough.
 *
 * A run that is aborted while it waits for its turn ends at once. One that is under way is brought to its end, which is milliseconds or the
 * time-out, and its answer dropped: the library goes on using the memory of its frames until then, and a frame that is half written or half read
 * would mix into the next. After a call that failed, a late frame could still come, so the network is closed on the device and, before the next
 * run, configured anew: what belongs to the old one is never read again.
 */
import { throwIfAborted } from '../../base/abort.ts';
import { AppError } from '../../base/errors.ts';
import type { HailoFormat, HailoFrame, HailoNetwork, HailoStream } from './contract.ts';
import { createTurns } from './turns.ts';

export interface StreamOptions {
  readonly formats: { readonly input: HailoFormat; readonly output: HailoFormat };
  readonly timeoutMs: number;
}

export interface NetworkShape {
  readonly name: string;
  readonly inputs: readonly HailoStream[];
  /** As the HEF sorts them. */
  readonly outputs: readonly HailoStream[];
}

/** A network on the device, good until its first failed run. */
export interface ConfiguredNetwork {
  /** One at a time, with frames of the network's shape. */
  run(inputs: readonly HailoFrame[]): Promise<HailoFrame[]>;
  /** Has the run under way end soon, as a failed one. */
  abort(): Promise<unknown>;
  /** After the last run. */
  close(): Promise<void>;
}

export interface NetworkParts {
  readonly shape: NetworkShape;
  readonly formats: StreamOptions['formats'];
  readonly first: ConfiguredNetwork;
  /** Throws `model_failed` where the device takes it no more. */
  configure(): Promise<ConfiguredNetwork>;
  /** What outlives the configured networks. */
  release(): Promise<void>;
}

export const BYTES_OF = { uint8: 1, float32: 4 } as const satisfies Record<HailoFormat, number>;

export function createNetwork({ shape, formats, first, configure, release }: NetworkParts): HailoNetwork {
  const turns = createTurns();
  /** Undefined after a failed call, until the next run. */
  let configured: ConfiguredNetwork | undefined = first;
  /** Whether frames are on their way. */
  let isTransferring = false;
  let closed: Promise<void> | undefined;

  const throwIfClosed = () => {
    if (closed !== undefined)
      throw new AppError('shutting_down', `The network ${shape.name} was closed on the Hailo device.`);
  };

  async function transfer(inputs: readonly HailoFrame[]): Promise<HailoFrame[]> {
    configured ??= await configure();
    throwIfClosed();
    isTransferring = true;
    try {
      return await configured.run(inputs);
    } catch (thrown) {
      const lost = configured;
      configured = undefined;
      // It is given up whatever closing it says; the failure of the run is the one to tell.
      await lost.close().catch(() => {});
      throwIfClosed();
      throw thrown;
    } finally {
      isTransferring = false;
    }
  }

  async function close(): Promise<void> {
    // Where no thread is free for it, the run ends by its time-out.
    if (isTransferring) await configured?.abort();
    await turns.take(undefined, async () => {
      try {
        await configured?.close();
      } finally {
        await release();
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
      closed ??= close();
      return closed;
    },
  };
}

/** A programmer's error is an assertion elsewhere; here it would be memory that the library reads past its end. */
function checkFrames(
  { name, inputs }: NetworkShape,
  frames: readonly HailoFrame[],
  format: HailoFormat,
): void {
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

function plainStream({ name, shape }: HailoStream): HailoStream {
  return { name, shape };
}

/** Numbers in a frame. */
export function frameLength({ shape: { height, width, features } }: HailoStream): number {
  return height * width * features;
}

/** A stream as the library describes it. */
export interface DescribedStream extends HailoStream {
  /** hailo_format_order_t */
  readonly order: number;
}

/** Orders in which a frame on the host is height, width, features without padding: NHWC, FCR, NHW and NC. */
const PLAIN_ORDERS = [1, 3, 5, 6];

/** Throws `unsupported_model` for a network whose frames are no plain numbers. */
export function checkOrders(network: string, streams: readonly DescribedStream[]): void {
  const strange = streams.find(({ order }) => !PLAIN_ORDERS.includes(order));
  if (strange === undefined) return;
  throw new AppError(
    'unsupported_model',
    `The stream ${strange.name} of the network ${network} has the order ${strange.order}, which is no array of height × width × features.`,
  );
}

/** Throws `unsupported_model` unless its frames have the size that follows from its shape. */
export function checkFrameSize(stream: HailoStream, sizeBytes: number, format: HailoFormat): void {
  const expected = frameLength(stream) * BYTES_OF[format];
  if (sizeBytes === expected && expected > 0) return;
  throw new AppError(
    'unsupported_model',
    `A frame of the stream ${stream.name} has ${sizeBytes} bytes; its shape gives ${expected}.`,
  );
}
