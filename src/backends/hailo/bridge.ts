/**
 * A Hailo-10H by the bridge: a small library in C++ (native/hailo-bridge) that is built against the HailoRT of the machine, and offers its InferModel
 * as C functions. It takes one buffer with a frame of every input, and gives one with a frame of every output; what the device writes
 * to is its own memory, so a frame that comes late harms nobody.
 */
import { existsSync } from 'node:fs';
import { AppError } from '../../base/errors.ts';
import { type Calls, callsOf, checkedCalls, wordAt, wordOf } from './checked-calls.ts';
import type { HailoFormat, HailoFrame, HailoNetwork } from './contract.ts';
import {
  type DeviceIdentity,
  FORMAT_TYPES,
  readVersion,
  VERSION_BYTES,
  versionText,
  WORD_BYTES,
} from './layouts.ts';
import {
  type BridgeFunction,
  type HailoLibrary,
  type NativeFunctions,
  openBridgeLibrary,
} from './library.ts';
import {
  BYTES_OF,
  type ConfiguredNetwork,
  checkFrameSize,
  checkOrders,
  createNetwork,
  type DescribedStream,
  frameLength,
  type NetworkShape,
  type StreamOptions,
} from './network.ts';
import { STATUS } from './status.ts';
import { noDeviceError, type OpenDevice } from './vdevice.ts';

export type Bridge = NativeFunctions<BridgeFunction>;

/** Of its functions; the bridge has the same number. */
const INTERFACE_VERSION = 1;
/** More than names and shapes of any network take. */
const DESCRIPTION_BYTES = 256 * 1024;

/** The first that is there. */
export function findBridge(places: readonly string[]): string | undefined {
  return places.find((place) => existsSync(place));
}

/** Throws `not_runnable` for a bridge that cannot be loaded, or that was built for another version of Percept or of HailoRT. */
export async function openBridge(path: string, library: HailoLibrary): Promise<Bridge> {
  const bridge = await openBridgeLibrary(path, { library, interfaceVersion: INTERFACE_VERSION });
  const [builtFor, running] = [Buffer.alloc(VERSION_BYTES), Buffer.alloc(VERSION_BYTES)];
  callsOf(bridge, 'Asking the bridge for its version', 'not_runnable').now(
    'percept_hailo_versions',
    builtFor,
    running,
  );
  const texts = [builtFor, running].map((bytes) => versionText(readVersion(bytes)));
  const installed = versionText(library.version);
  if (texts.some((text) => text !== installed))
    throw new AppError(
      'not_runnable',
      `The bridge to the Hailo device ${path} was built for HailoRT ${texts[0]} and runs with ${texts[1]}; installed is ${installed}, at ${library.path}. Build it again: percept hailo-bridge build.`,
    );
  return bridge;
}

interface BridgedDevice {
  readonly library: HailoLibrary;
  readonly identity: DeviceIdentity;
  readonly groupId: string;
}

export async function openBridgedDevice(
  bridge: Bridge,
  { library, identity, groupId }: BridgedDevice,
): Promise<OpenDevice> {
  const handle = Buffer.alloc(WORD_BYTES);
  const status = await bridge.call('percept_hailo_open', groupId, handle);
  const doing = 'Opening the Hailo device by its bridge';
  if (status === STATUS.outOfPhysicalDevices)
    throw noDeviceError(checkedCalls(library, doing, 'not_runnable'));
  callsOf(bridge, doing, 'not_runnable').check(status);
  const device = wordAt(handle);
  return {
    identity,
    open: (hefPath, options) => openBridgedNetwork(bridge, { device, hefPath }, options),
    release: () =>
      callsOf(bridge, 'Releasing the Hailo device', 'model_failed').later('percept_hailo_close', device),
  };
}

interface Source {
  readonly device: bigint;
  readonly hefPath: string;
}

async function openBridgedNetwork(
  bridge: Bridge,
  source: Source,
  options: StreamOptions,
): Promise<HailoNetwork> {
  const loading = callsOf(bridge, `Loading ${source.hefPath} on the Hailo device`, 'not_runnable');
  const handle = await load(loading, source, options);
  try {
    const shape = describe(loading, handle, options.formats);
    const running = callsOf(bridge, `Running the network ${shape.name} on the Hailo device`, 'model_failed');
    const configured = (network: bigint) => configuredNetwork(bridge, { network, shape }, options);
    return createNetwork({
      shape,
      formats: options.formats,
      first: configured(handle),
      // The model is loaded anew, too: of the old one nothing is left.
      configure: async () => configured(await load(running, source, options)),
      release: async () => {},
    });
  } catch (thrown) {
    // The first failure is the one to tell.
    await loading.later('percept_hailo_unload', handle, options.timeoutMs).catch(() => {});
    throw thrown;
  }
}

async function load(
  calls: Calls<BridgeFunction>,
  { device, hefPath }: Source,
  { formats }: StreamOptions,
): Promise<bigint> {
  const handle = Buffer.alloc(WORD_BYTES);
  const [input, output] = [FORMAT_TYPES[formats.input], FORMAT_TYPES[formats.output]];
  await calls.later('percept_hailo_load', device, hefPath, input, output, handle);
  return wordAt(handle);
}

/** A line with the name, then one for each stream: its kind, order, height, width, features, bytes and name. */
function describe(
  calls: Calls<BridgeFunction>,
  network: bigint,
  formats: StreamOptions['formats'],
): NetworkShape {
  const text = Buffer.alloc(DESCRIPTION_BYTES);
  const size = wordOf(text.length);
  calls.now('percept_hailo_describe', network, text, size);
  const [name = '', ...lines] = text
    .toString('utf8', 0, Number(wordAt(size)))
    .trimEnd()
    .split('\n');
  const ofKind = (wanted: 'input' | 'output') =>
    lines.filter((line) => line.startsWith(`${wanted} `)).map((line) => readStream(line, formats[wanted]));
  const shape = { name, inputs: ofKind('input'), outputs: ofKind('output') };
  checkOrders(name, [...shape.inputs, ...shape.outputs]);
  return shape;
}

function readStream(line: string, format: HailoFormat): DescribedStream {
  const [, order, height, width, features, sizeBytes, ...name] = line.split(' ');
  const stream = {
    name: name.join(' '),
    order: Number(order),
    shape: { height: Number(height), width: Number(width), features: Number(features) },
  };
  checkFrameSize(stream, Number(sizeBytes), format);
  return stream;
}

function configuredNetwork(
  bridge: Bridge,
  { network, shape }: { readonly network: bigint; readonly shape: NetworkShape },
  { formats, timeoutMs }: StreamOptions,
): ConfiguredNetwork {
  const calls = (verb: string) =>
    callsOf(bridge, `${verb} the network ${shape.name} on the Hailo device`, 'model_failed');
  return {
    async run(frames) {
      const inputs = joined(frames);
      const outputs = newFrames(shape, formats.output);
      await calls('Running').later(
        'percept_hailo_run',
        network,
        inputs,
        inputs.length,
        outputs.memory,
        outputs.memory.length,
        timeoutMs,
      );
      return outputs.frames;
    },
    abort: () => bridge.call('percept_hailo_abort', network),
    close: () => calls('Closing').later('percept_hailo_unload', network, timeoutMs),
  };
}

function joined(frames: readonly HailoFrame[]): Buffer {
  return Buffer.concat(
    frames.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength)),
  );
}

/** One piece of memory, and the frames in it one after another. */
function newFrames(
  { outputs }: NetworkShape,
  format: HailoFormat,
): { readonly memory: Uint8Array; readonly frames: HailoFrame[] } {
  const lengths = outputs.map(frameLength);
  const buffer = new ArrayBuffer(lengths.reduce((sum, length) => sum + length, 0) * BYTES_OF[format]);
  let begin = 0;
  const frames = lengths.map((length) => {
    const offset = begin;
    begin += length * BYTES_OF[format];
    return format === 'uint8'
      ? new Uint8Array(buffer, offset, length)
      : new Float32Array(buffer, offset, length);
  });
  return { memory: new Uint8Array(buffer), frames };
}
