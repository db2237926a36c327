/**
 * Writes synthetic HEFs: files with the header and the description of networks that Hailo's compiler writes, and without anything that a
 * device could run. Behind the description, where a real file has its configuration, stands a text for the stub library of the tests
 * (test/backends/hailo/stub/stub-hailort.c says how it is read). Numbers of fields are those of HailoRT's public hef.proto.
 */
import { crc32 } from 'node:zlib';
import { bytesField, floatField, message, varintField } from '../../src/graphs/protobuf.ts';

/** Numbers of chips in a HEF's header. A device of type HAILO8 takes HAILO8P. */
export const HEF_ARCHITECTURES = {
  HAILO8P: 1,
  HAILO8R: 2,
  HAILO8L: 3,
  HAILO15M: 4,
  HAILO15L: 6,
  HAILO10H: 103,
} as const;

export interface SyntheticLayer {
  readonly name: string;
  /** Height, width, features. */
  readonly shape: readonly [number, number, number];
  /** Bytes of one number inside the network; 1 unless given. */
  readonly dataBytes?: 1 | 2;
  readonly zeroPoint?: number;
  readonly scale?: number;
}

export interface SyntheticGroup {
  readonly name: string;
  readonly inputs: readonly SyntheticLayer[];
  /** In the order that the file sorts them. */
  readonly outputs: readonly SyntheticLayer[];
}

export interface SyntheticHef {
  readonly groups: readonly SyntheticGroup[];
  /** A name above or the number itself; HAILO8P unless given. */
  readonly architecture?: keyof typeof HEF_ARCHITECTURES | number;
  readonly sdkVersion?: string;
}

const MAGIC = 0x01484546;
/** Chips that are half of another: their groups are described by layout only, and a file without layouts crashes 4.23. */
const HALF_CHIPS: readonly number[] = [HEF_ARCHITECTURES.HAILO8L, HEF_ARCHITECTURES.HAILO15M];
const HOST_TO_DEVICE = 0;
const DEVICE_TO_HOST = 1;
/** Orders of a layer in the file, and what the library calls them. */
const CHANNELS_LAST = { inFile: 0, inLibrary: 1 };
const FLAT = { inFile: 2, inLibrary: 6 };
/** Without the second, which says that the library works out the sizes of transfers, 4.23 takes no file. */
const EXTENSIONS = [
  { index: 3, name: 'padded_ddr_buffers' },
  { index: 26, name: 'periph_calculation_in_hailort' },
];

/** A HEF of version 1. */
export function writeHef(hef: SyntheticHef): Buffer {
  return withHeader(describe(hef), Buffer.from(textForStub(hef)));
}

/** A header of version 1 for any description and what follows it. */
export function withHeader(description: Uint8Array, rest: Uint8Array): Buffer {
  const header = Buffer.alloc(28);
  header.writeUInt32BE(MAGIC, 0);
  header.writeUInt32BE(1, 4);
  header.writeUInt32BE(description.length, 8);
  header.writeUInt32BE(crc32(rest, crc32(description)), 12);
  header.writeBigUInt64BE(BigInt(rest.length), 16);
  return Buffer.concat([header, description, rest]);
}

/** The message ProtoHEFHef. */
export function describe({ groups, sdkVersion = '3.33.0', architecture }: SyntheticHef): Uint8Array {
  const header = message([
    varintField(1, architectureNumber(architecture)),
    bytesField(3, sdkVersion),
    varintField(4, 1),
  ]);
  const extensions = EXTENSIONS.map((extension) =>
    message([varintField(1, extension.index), bytesField(2, extension.name)]),
  );
  return message([
    bytesField(1, header),
    ...groups.map((group, index) => bytesField(2, networkGroup(group, { index, architecture }))),
    ...extensions.map((extension) => bytesField(5, extension)),
  ]);
}

function networkGroup(
  { name, inputs, outputs }: SyntheticGroup,
  { index, architecture }: { readonly index: number; readonly architecture: SyntheticHef['architecture'] },
): Uint8Array {
  const metadata = message([bytesField(1, name), varintField(2, index), varintField(5, 1)]);
  const layers = [
    ...inputs.map((layer, place) => edgeLayer(layer, HOST_TO_DEVICE, place)),
    ...outputs.map((layer, place) => edgeLayer(layer, DEVICE_TO_HOST, place)),
  ];
  const context = message([
    bytesField(3, message([bytesField(1, 'context_0'), ...layers.map((layer) => bytesField(2, layer))])),
  ]);
  const described = [
    bytesField(1, metadata),
    bytesField(2, message([])),
    bytesField(3, context),
    ...outputs.map((output) => bytesField(4, output.name)),
  ];
  const isHalf = HALF_CHIPS.includes(architectureNumber(architecture));
  return message([...(isHalf ? [bytesField(7, layout(described))] : described), bytesField(10, name)]);
}

/** Which of the clusters of the whole chip it uses. */
function layout(described: readonly Uint8Array[]): Uint8Array {
  const clusters = message([varintField(1, 1)]);
  return message([bytesField(1, message([...described])), bytesField(2, clusters)]);
}

function edgeLayer(layer: SyntheticLayer, direction: number, index: number): Uint8Array {
  const { name, shape, dataBytes = 1, zeroPoint = 0, scale = 1 } = layer;
  const [height, width, features] = shape;
  // A transfer must fit 16 bits; nothing is ever transferred by it.
  const transferBytes = Math.min(width * features * dataBytes, 65_528);
  const base = message([
    ...[height, height, width, width, features, features].map((value, place) =>
      varintField(place + 1, value),
    ),
    varintField(7, orderOf(layer).inFile),
    varintField(8, index + 16 * direction),
    varintField(9, transferBytes),
    varintField(10, Math.min(height, 65_535)),
    varintField(12, dataBytes),
    bytesField(13, message([varintField(1, index)])),
  ]);
  const numbers = message([
    floatField(1, zeroPoint),
    floatField(2, scale),
    floatField(3, (0 - zeroPoint) * scale),
    floatField(4, (256 ** dataBytes - 1 - zeroPoint) * scale),
    bytesField(5, doubles([zeroPoint])),
    bytesField(6, doubles([scale])),
  ]);
  const info = message([
    bytesField(1, name),
    bytesField(2, base),
    bytesField(3, numbers),
    bytesField(5, name),
  ]);
  return message([varintField(1, direction), bytesField(3, info), bytesField(5, message([]))]);
}

/** A packed repeated field of 64-bit floats. */
function doubles(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(values).buffer);
}

function textForStub({ groups, architecture }: SyntheticHef): string {
  const line = (kind: string, layer: SyntheticLayer) =>
    [
      kind,
      layer.name,
      ...layer.shape,
      layer.dataBytes ?? 1,
      orderOf(layer).inLibrary,
      layer.zeroPoint ?? 0,
      layer.scale ?? 1,
    ].join(' ');
  const lines = groups.flatMap((group) => [
    `group ${group.name}`,
    ...group.inputs.map((layer) => line('input', layer)),
    ...group.outputs.map((layer) => line('output', layer)),
  ]);
  return `${['stub-hef 1', `arch ${architectureNumber(architecture)}`, ...lines].join('\n')}\n`;
}

function orderOf({ shape: [height, width] }: SyntheticLayer) {
  return height === 1 && width === 1 ? FLAT : CHANNELS_LAST;
}

function architectureNumber(architecture: SyntheticHef['architecture'] = 'HAILO8P'): number {
  return typeof architecture === 'number' ? architecture : HEF_ARCHITECTURES[architecture];
}
