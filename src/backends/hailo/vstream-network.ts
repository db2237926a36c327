/** A network by the C functions: frames are written to its vstreams and read from them, one stream after another. */
import { type CheckedCalls, checkedCalls, wordAt } from './checked-calls.ts';
import type { HailoFormat, HailoFrame, HailoNetwork, HailoStream } from './contract.ts';
import { WORD_BYTES } from './layouts.ts';
import type { HailoLibrary } from './library.ts';
import {
  BYTES_OF,
  type ConfiguredNetwork,
  createNetwork,
  frameLength,
  type StreamOptions,
} from './network.ts';
import { closeStreams, describeGroup, openStreams } from './streams.ts';

/** Opens a HEF whose chip was looked at before. Throws `unsupported_model` or `not_runnable`, with nothing left open. */
export async function openVstreamNetwork(
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
    const { formats } = options;
    const calls = (verb: string) =>
      checkedCalls(library, `${verb} the network ${shape.name} on the Hailo device`, 'model_failed');
    const [running, closing] = [calls('Running'), calls('Closing')];

    async function configure(opening: CheckedCalls): Promise<ConfiguredNetwork> {
      const streams = await openStreams(opening, { vdevice, hef, shape }, options);
      return {
        async run(inputs) {
          const outputs = newFrames(shape.outputs, formats.output);
          for (const [index, frame] of inputs.entries())
            await running.later(
              'hailo_vstream_write_raw_buffer',
              streams.inputs[index]!,
              frame,
              frame.byteLength,
            );
          for (const [index, frame] of outputs.entries())
            await running.later(
              'hailo_vstream_read_raw_buffer',
              streams.outputs[index]!,
              frame,
              frame.byteLength,
            );
          return outputs;
        },
        abort: () => library.call('hailo_shutdown_network_group', streams.group),
        close: () => closeStreams(closing, streams),
      };
    }

    return createNetwork({
      shape,
      formats,
      first: await configure(loading),
      configure: () => configure(running),
      release: () => closing.later('hailo_release_hef', hef),
    });
  } catch (thrown) {
    // The first failure is the one to tell.
    await loading.later('hailo_release_hef', hef).catch(() => {});
    throw thrown;
  }
}

function newFrames(streams: readonly HailoStream[], format: HailoFormat): HailoFrame[] {
  return streams.map((stream) => {
    const memory = new ArrayBuffer(frameLength(stream) * BYTES_OF[format]);
    return format === 'uint8' ? new Uint8Array(memory) : new Float32Array(memory);
  });
}
