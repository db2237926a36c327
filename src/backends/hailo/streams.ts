/**
 * A network group on a device with its streams open: what frames are written to and read from. The order of the calls is that of Hailo's
 * own C example; what a failing step leaves open is closed again.
 */
import { AppError } from '../../base/errors.ts';
import { type CheckedCalls, listWith, wordAt, wordOf } from './checked-calls.ts';
import type { HailoFormat } from './contract.ts';
import {
  FORMAT_TYPES,
  GROUP_INFO_BYTES,
  LAYER_NAME_BYTES,
  readText,
  readVstreamInfo,
  VSTREAM_PARAMS_BYTES,
  type VstreamInfo,
  WORD_BYTES,
  writeTimeout,
} from './layouts.ts';
import { checkFrameSize, checkOrders, type StreamOptions } from './network.ts';

/** The first network group of a HEF by the library's order, which is that of their names, as the library describes it. */
export interface GroupShape {
  readonly name: string;
  readonly inputs: readonly VstreamInfo[];
  /** As the HEF sorts them. */
  readonly outputs: readonly VstreamInfo[];
}

/** In the order of the group's shape. */
export interface OpenStreams {
  readonly group: bigint;
  readonly inputs: readonly bigint[];
  readonly outputs: readonly bigint[];
}

/** Throws `unsupported_model` for a network whose frames are no plain numbers. */
export function describeGroup(calls: CheckedCalls, hef: bigint): GroupShape {
  const { library } = calls;
  const groups = listWith(GROUP_INFO_BYTES, calls, (items, count) =>
    library.callNow('hailo_get_network_groups_infos', hef, items, count),
  );
  if (groups.count === 0) throw new AppError('unsupported_model', 'The HEF has no network.');
  const name = readText(groups.bytes, 0, LAYER_NAME_BYTES);
  const stride = library.vstreamInfoBytes;
  const listed = listWith(stride, calls, (items, count) =>
    library.callNow('hailo_hef_get_all_vstream_infos', hef, name, items, count),
  );
  const infos = Array.from({ length: listed.count }, (_, index) =>
    readVstreamInfo(listed.bytes, index * stride),
  );
  checkOrders(name, infos);
  const sorted = sortedOutputs(calls, hef, name);
  const place = (info: VstreamInfo) =>
    sorted.includes(info.name) ? sorted.indexOf(info.name) : sorted.length;
  return {
    name,
    inputs: infos.filter(({ isInput }) => isInput),
    outputs: infos.filter(({ isInput }) => !isInput).sort((a, b) => place(a) - place(b)),
  };
}

function sortedOutputs(calls: CheckedCalls, hef: bigint, group: string): string[] {
  const { bytes, count } = listWith(LAYER_NAME_BYTES, calls, (items, length) =>
    calls.library.callNow('hailo_hef_get_sorted_output_names', hef, group, items, length),
  );
  return Array.from({ length: count }, (_, index) =>
    readText(bytes, index * LAYER_NAME_BYTES, LAYER_NAME_BYTES),
  );
}

/** Configures the HEF's first group anew and opens its streams. */
export async function openStreams(
  calls: CheckedCalls,
  { vdevice, hef, shape }: { readonly vdevice: bigint; readonly hef: bigint; readonly shape: GroupShape },
  options: StreamOptions,
): Promise<OpenStreams> {
  const groups = Buffer.alloc(MAX_GROUPS * WORD_BYTES);
  const count = wordOf(MAX_GROUPS);
  // Without params the library takes its defaults, so that none of its largest structures, whose size changed, is passed.
  await calls.later('hailo_configure_vdevice', vdevice, hef, null, groups, count);
  const group = wordAt(groups);
  let inputs: readonly bigint[] = [];
  let outputs: readonly bigint[] = [];
  try {
    inputs = await openSide(
      calls,
      group,
      { ...INPUTS, infos: shape.inputs, format: options.formats.input },
      options.timeoutMs,
    );
    outputs = await openSide(
      calls,
      group,
      { ...OUTPUTS, infos: shape.outputs, format: options.formats.output },
      options.timeoutMs,
    );
    return { group, inputs, outputs };
  } catch (thrown) {
    // The first failure is the one to tell.
    await closeStreams(calls, { group, inputs, outputs }).catch(() => {});
    throw thrown;
  }
}

/** Goes on where a step fails, and then throws the first failure. */
export async function closeStreams(
  calls: CheckedCalls,
  { group, inputs, outputs }: OpenStreams,
): Promise<void> {
  const failures: unknown[] = [];
  const note = (thrown: unknown) => failures.push(thrown);
  // Ends what is still under way; a group that is shut down can never again give a frame.
  await calls.later('hailo_shutdown_network_group', group).catch(note);
  if (outputs.length > 0) await release(calls, OUTPUTS.release, outputs).catch(note);
  if (inputs.length > 0) await release(calls, INPUTS.release, inputs).catch(note);
  if (failures.length > 0) throw failures[0];
}

/** Sets of networks in one HEF. */
const MAX_GROUPS = 64;

const INPUTS = {
  makeParams: 'hailo_make_input_vstream_params',
  create: 'hailo_create_input_vstreams',
  getInfo: 'hailo_get_input_vstream_info',
  getFrameSize: 'hailo_get_input_vstream_frame_size',
  release: 'hailo_release_input_vstreams',
} as const;

const OUTPUTS = {
  makeParams: 'hailo_make_output_vstream_params',
  create: 'hailo_create_output_vstreams',
  getInfo: 'hailo_get_output_vstream_info',
  getFrameSize: 'hailo_get_output_vstream_frame_size',
  release: 'hailo_release_output_vstreams',
} as const;

type Side = (typeof INPUTS | typeof OUTPUTS) & {
  readonly infos: readonly VstreamInfo[];
  readonly format: HailoFormat;
};

async function openSide(
  calls: CheckedCalls,
  group: bigint,
  side: Side,
  timeoutMs: number,
): Promise<bigint[]> {
  const params = listWith(VSTREAM_PARAMS_BYTES, calls, (items, count) =>
    calls.library.callNow(side.makeParams, group, false, FORMAT_TYPES[side.format], items, count),
  );
  if (params.count !== side.infos.length)
    throw new AppError(
      'not_runnable',
      `Hailo’s library opens ${params.count} streams where the HEF describes ${side.infos.length}.`,
    );
  writeTimeout(params.bytes, params.count, timeoutMs);
  const handles = Buffer.alloc(params.count * WORD_BYTES);
  await calls.later(side.create, group, params.bytes, params.count, handles);
  const streams = Array.from({ length: params.count }, (_, index) => wordAt(handles, index));
  try {
    const byName = new Map(streams.map((stream) => [nameOf(calls, side, stream), stream]));
    return side.infos.map((info) => checked(calls, { ...side, info }, byName.get(info.name)));
  } catch (thrown) {
    await release(calls, side.release, streams).catch(() => {});
    throw thrown;
  }
}

/** The library gives streams in an order of its own. */
function nameOf(calls: CheckedCalls, side: Side, stream: bigint): string {
  const info = Buffer.alloc(calls.library.vstreamInfoBytes);
  calls.now(side.getInfo, stream, info);
  return readVstreamInfo(info).name;
}

/** Throws `unsupported_model` unless its frames have the size that follows from its shape. */
function checked(
  calls: CheckedCalls,
  side: Side & { readonly info: VstreamInfo },
  stream: bigint | undefined,
): bigint {
  const { info, format } = side;
  if (stream === undefined)
    throw new AppError('not_runnable', `Hailo’s library did not open the stream ${info.name}.`);
  const size = wordOf(0);
  calls.now(side.getFrameSize, stream, size);
  checkFrameSize(info, Number(wordAt(size)), format);
  return stream;
}

async function release(
  calls: CheckedCalls,
  name: 'hailo_release_input_vstreams' | 'hailo_release_output_vstreams',
  streams: readonly bigint[],
): Promise<void> {
  const handles = Buffer.concat(streams.map(wordOf));
  await calls.later(name, handles, streams.length);
}
