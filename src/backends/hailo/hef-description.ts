/**
 * The networks that the description of a HEF names. Its numbers of fields are those of HailoRT's public hef.proto, which has kept three
 * ways of saying the same: a group is described in itself, in its operation of the kind "core", or, for the chips that are half of
 * another, in the first of its layouts.
 */
import { AppError } from '../../base/errors.ts';
import type { HailoShape } from './contract.ts';
import { allOf, bytesOf, FieldCursor, floatOf, numberOf } from './protobuf-reader.ts';

export interface HefLayer {
  readonly name: string;
  readonly shape: HailoShape;
  /** How its numbers lie in the memory of the chip. */
  readonly order: string;
  /** Of one number on the chip. */
  readonly dataBytes: number;
  /** A number q of the chip means (q - zeroPoint) × scale. */
  readonly zeroPoint: number;
  readonly scale: number;
}

/** As the chip takes and gives them; what the library works out behind it, such as boxes of objects, is not shown. */
export interface HefGroup {
  readonly name: string;
  readonly inputs: readonly HefLayer[];
  readonly outputs: readonly HefLayer[];
}

export interface HefDescription {
  readonly chip: number;
  readonly sdkVersion: string;
  readonly groups: readonly HefGroup[];
}

/** Limits of what is believed; the largest real models have a group and some tens of layers. */
const MAX_GROUPS = 64;
const MAX_LAYERS = 1024;
const MAX_CONTEXTS = 65_536;
/** Of layers that are joined from others. */
const MAX_DEPTH = 8;
/** hailo8l and hailo15m, each half of another chip: HailoRT 4.23 reads their networks from layouts, and ends its process where there are none. */
const READ_BY_LAYOUT = [3, 4];
const MAX_DIMENSION = 2 ** 24;
const MAX_NAME_BYTES = 256;
const ORDERS = ['NHWC', 'NHCW', 'NC', 'FCR', 'BAYER_RGB', 'NHW', 'NMS', 'F8CR', 'RGB888'] as const;
const FLAT = 'NC';

/** Throws `unsupported_model` for what is damaged, or passes the limits. */
export function describeHef(message: Uint8Array): HefDescription {
  const header = bytesOf(message, 1);
  const groups = allOf(message, 2, MAX_GROUPS);
  if (groups.length === 0) throw refused('It describes no network.');
  const chip = numberOf(header, 1);
  if (READ_BY_LAYOUT.includes(chip) && groups.some((group) => layoutsOf(wholeOf(group)).length === 0))
    throw refused('It is for a chip whose networks are described by layouts, and it has none.');
  return {
    chip,
    sdkVersion: sdkVersion(header),
    groups: groups.map(describeGroup),
  };
}

/** A text, or in later files three numbers. */
function sdkVersion(header: Uint8Array): string {
  const text = nameOf(bytesOf(header, 3));
  const numbers = bytesOf(header, 5);
  if (text !== '' || numbers.length === 0) return text;
  return [1, 2, 3].map((number) => numberOf(numbers, number)).join('.');
}

interface Layers {
  readonly inputs: HefLayer[];
  readonly outputs: HefLayer[];
}

function describeGroup(group: Uint8Array): HefGroup {
  const whole = wholeOf(group);
  const [layout] = layoutsOf(whole);
  const core = contextsOf(whole).length > 0 || layout === undefined ? whole : layout;
  const layers = collectLayers(core);
  const isTurned = numberOf(bytesOf(core, 1), 3) === 1;
  const seen = (layer: HefLayer) => (isTurned ? turned(layer) : layer);
  const sorted = sortedOutputs([group, whole, core]);
  const place = ({ name }: HefLayer) => (sorted.includes(name) ? sorted.indexOf(name) : sorted.length);
  return {
    name:
      nameOf(bytesOf(group, 10)) ||
      nameOf(bytesOf(bytesOf(whole, 1), 1)) ||
      nameOf(bytesOf(bytesOf(core, 1), 1)),
    inputs: layers.inputs.map(seen),
    outputs: layers.outputs.map(seen).sort((a, b) => place(a) - place(b)),
  };
}

/** In later files a group is a list of operations, one of which is the network. */
function wholeOf(group: Uint8Array): Uint8Array {
  const operations = allOf(group, 8, MAX_LAYERS).map((operation) => bytesOf(operation, 4));
  return operations.find((core) => core.length > 0) ?? group;
}

function layoutsOf(whole: Uint8Array): Uint8Array[] {
  return allOf(whole, 7, MAX_LAYERS).map((partial) => bytesOf(partial, 1));
}

/** What each context says of its layers. */
function contextsOf(core: Uint8Array): Uint8Array[] {
  return allOf(core, 3, MAX_CONTEXTS).map((context) => bytesOf(context, 3));
}

/** The layers between chip and host of all contexts. */
function collectLayers(core: Uint8Array): Layers {
  const layers: Layers = { inputs: [], outputs: [] };
  for (const context of contextsOf(core)) {
    const cursor = new FieldCursor(context);
    while (cursor.next()) if (cursor.number === 2) addEdge(cursor.bytes, layers);
  }
  return layers;
}

function addEdge(edge: Uint8Array, { inputs, outputs }: Layers): void {
  const isBoundary = numberOf(bytesOf(edge, 5), 3) === 0;
  if (!isBoundary) return;
  const isOutput = numberOf(edge, 1) === 1;
  addLayers(edge, isOutput ? outputs : inputs, { info: 3, joined: 4, planes: 8, depth: 0 });
}

/** Numbers of the three kinds of layer, in a message that holds one of them. */
interface LayerKinds {
  readonly info: number;
  readonly joined: number;
  readonly planes: number;
  readonly depth: number;
}

function addLayers(holder: Uint8Array, list: HefLayer[], { info, joined, planes, depth }: LayerKinds): void {
  if (depth > MAX_DEPTH) throw refused('Its layers are nested too deep.');
  const cursor = new FieldCursor(holder);
  while (cursor.next()) {
    if (list.length > MAX_LAYERS) throw refused(`It has more than ${MAX_LAYERS} layers.`);
    if (cursor.number === info) list.push(describeLayer(cursor.bytes));
    if (cursor.number === planes) list.push(describePlanes(cursor.bytes));
    if (cursor.number === joined)
      for (const predecessor of allOf(cursor.bytes, 5, MAX_LAYERS))
        addLayers(predecessor, list, { info: 1, joined: 2, planes: 3, depth: depth + 1 });
  }
}

function describeLayer(layer: Uint8Array): HefLayer {
  const base = bytesOf(layer, 2);
  const numbers = bytesOf(layer, 3);
  const order = numberOf(base, 7);
  const described: HefLayer = {
    name: nameOf(bytesOf(layer, 1)),
    shape: { height: dimension(base, 1), width: dimension(base, 3), features: dimension(base, 5) },
    order: ORDERS[order] ?? `order ${order}`,
    dataBytes: numberOf(base, 12),
    zeroPoint: floatOf(numbers, 1),
    scale: floatOf(numbers, 2),
  };
  return numberOf(layer, 6) === 1 ? turned(described) : described;
}

/** A picture whose channels come one after another. */
function describePlanes(planes: Uint8Array): HefLayer {
  return {
    name: nameOf(bytesOf(planes, 1)),
    shape: { height: dimension(planes, 4), width: dimension(planes, 5), features: dimension(planes, 6) },
    order: 'planes',
    dataBytes: 1,
    zeroPoint: 0,
    scale: 1,
  };
}

function dimension(message: Uint8Array, number: number): number {
  const value = numberOf(message, number);
  if (value > MAX_DIMENSION) throw refused(`A layer has a dimension of ${value}.`);
  return value;
}

/** As the host sees a layer that lies transposed on the chip. */
function turned(layer: HefLayer): HefLayer {
  if (layer.order === FLAT) return layer;
  const { height, width, features } = layer.shape;
  return { ...layer, shape: { height: width, width: height, features } };
}

/** The order that the compiler gave the outputs: of fused layers, of the group, or in old files of its last context. */
function sortedOutputs(candidates: readonly Uint8Array[]): string[] {
  const names = (message: Uint8Array, number: number) => allOf(message, number, MAX_LAYERS).map(nameOf);
  const fused = candidates.map((candidate) => bytesOf(candidate, 5)).find((one) => numberOf(one, 1) === 1);
  if (fused !== undefined) return names(fused, 2);
  const sorted = candidates.map((candidate) => names(candidate, 4)).find(({ length }) => length > 0);
  if (sorted !== undefined) return sorted;
  const context = contextsOf(candidates.at(-1)!).at(-1);
  return context === undefined ? [] : names(context, 5);
}

/** Names are shown on terminals: those with control characters are refused. */
function nameOf(bytes: Uint8Array): string {
  if (bytes.length > MAX_NAME_BYTES) throw refused(`A name in it is longer than ${MAX_NAME_BYTES} bytes.`);
  const name = new TextDecoder().decode(bytes);
  if (/\p{Cc}/u.test(name)) throw refused('A name in it has control characters.');
  return name;
}

function refused(message: string): AppError {
  return new AppError('unsupported_model', message);
}
