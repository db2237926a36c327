/**
 * Builds an ONNX model node by node and writes it as two files: `<name>.onnx` (the graph) and `<name>.onnx.data` (the
 * weights, outside the protocol buffer, which could not pass 2 GiB, and mapped from disk by ONNX Runtime).
 */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { finished } from 'node:stream/promises';
import { type Bytes, bytesField, floatField, message, varintField } from './protobuf.ts';
import { type ConstantTensor, type ElementType, ONNX_TYPE } from './tensor.ts';

/** The name of a value: an input, a constant or the output of a node. `''` stands for an optional input left out. */
export type Value = string;
/** A dimension is a length or the name of a symbol. */
export type Dimension = number | string;
export type Attribute = number | string | readonly number[] | { readonly float: number };

export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** `com.microsoft` for ONNX Runtime's own operators. */
  readonly domain?: string;
  /** How many outputs are named; an output that nobody reads may still be needed for its place. */
  readonly outputs?: number;
}

/** ONNX operator set 20, ONNX Runtime's contrib operators 1, IR version 9: what the pinned runtime reads. */
const OPSET = 20;
const CONTRIB_OPSET = 1;
const IR_VERSION = 9;
/** Constants up to this size stay inside the graph file, where shape inference can read them. */
const INLINE_BYTES = 1024;
/** External weights start at multiples of the page size, so that they can be mapped. */
const ALIGNMENT_BYTES = 4096;

export class GraphBuilder {
  readonly #name: string;
  readonly #nodes: Bytes[] = [];
  readonly #inputs: Bytes[] = [];
  readonly #outputs: Bytes[] = [];
  readonly #constants = new Map<Value, ConstantTensor>();
  /** Counts every value made, so that names are unique. */
  #values = 0;

  constructor(name: string) {
    this.#name = name;
  }

  input(name: string, type: ElementType, dims: readonly Dimension[]): Value {
    this.#inputs.push(valueInfo(name, type, dims));
    return name;
  }

  /** Names `value` as an output of the graph. */
  output(name: string, value: Value, shape: { type: ElementType; dims: readonly Dimension[] }): void {
    this.#nodes.push(nodeProto({ operator: 'Identity', inputs: [value], outputs: [name] }));
    this.#outputs.push(valueInfo(name, shape.type, shape.dims));
  }

  constant(tensor: ConstantTensor): Value {
    const name = `c${this.#values++}`;
    this.#constants.set(name, tensor);
    return name;
  }

  /** Adds a node with one output and gives its name. */
  node(operator: string, inputs: readonly Value[], options: NodeOptions = {}): Value {
    return this.nodes(operator, inputs, options)[0]!;
  }

  /** Adds a node with `options.outputs` outputs and gives their names. */
  nodes(operator: string, inputs: readonly Value[], options: NodeOptions = {}): Value[] {
    const outputs = Array.from({ length: options.outputs ?? 1 }, () => `v${this.#values++}`);
    this.#nodes.push(nodeProto({ ...options, operator, inputs, outputs }));
    return outputs;
  }

  /** Writes `<path>` and `<path>.data`, and gives where in the latter the constants begin. The caller owns the directory and its atomicity. */
  async write(path: string): Promise<ReadonlyMap<Value, number>> {
    const initializers: Bytes[] = [];
    const weights = createWriteStream(`${path}.data`);
    const done = finished(weights);
    const offsets = new Map<Value, number>();
    let offset = 0;
    for (const [name, tensor] of this.#constants) {
      const raw = rawOf(tensor);
      if (raw.length <= INLINE_BYTES) {
        initializers.push(tensorProto(name, tensor, [bytesField(9, raw)]));
        continue;
      }
      const padding = (ALIGNMENT_BYTES - (offset % ALIGNMENT_BYTES)) % ALIGNMENT_BYTES;
      weights.write(new Uint8Array(padding));
      offset += padding;
      offsets.set(name, offset);
      initializers.push(tensorProto(name, tensor, externalData(basename(path), offset, raw.length)));
      if (!weights.write(raw)) await once(weights, 'drain');
      offset += raw.length;
    }
    weights.end();
    await done;
    await writeFile(path, this.#model(initializers));
    return offsets;
  }

  /** The whole model in one piece, for small ones: 2 GiB is the most that a protocol buffer holds. */
  toBytes(): Bytes {
    return this.#model(
      [...this.#constants].map(([name, tensor]) => tensorProto(name, tensor, [bytesField(9, rawOf(tensor))])),
    );
  }

  #model(initializers: readonly Bytes[]): Bytes {
    const graph = message([
      ...this.#nodes.map((node) => bytesField(1, node)),
      bytesField(2, this.#name),
      ...initializers.map((tensor) => bytesField(5, tensor)),
      ...this.#inputs.map((info) => bytesField(11, info)),
      ...this.#outputs.map((info) => bytesField(12, info)),
    ]);
    return message([
      varintField(1, IR_VERSION),
      bytesField(2, 'percept'),
      bytesField(7, graph),
      bytesField(8, message([bytesField(1, ''), varintField(2, OPSET)])),
      bytesField(8, message([bytesField(1, 'com.microsoft'), varintField(2, CONTRIB_OPSET)])),
    ]);
  }
}

function nodeProto(node: {
  operator: string;
  inputs: readonly Value[];
  outputs: readonly Value[];
  attributes?: Readonly<Record<string, Attribute>>;
  domain?: string;
}): Bytes {
  return message([
    ...node.inputs.map((name) => bytesField(1, name)),
    ...node.outputs.map((name) => bytesField(2, name)),
    bytesField(3, `${node.operator}/${node.outputs[0]}`),
    bytesField(4, node.operator),
    ...Object.entries(node.attributes ?? {}).map(([name, value]) =>
      bytesField(5, attributeProto(name, value)),
    ),
    ...(node.domain === undefined ? [] : [bytesField(7, node.domain)]),
  ]);
}

/** Numbers are INT; a float is written `{ float: x }`, since JavaScript cannot tell 1 from 1.0. */
function attributeProto(name: string, value: Attribute): Bytes {
  const head = bytesField(1, name);
  if (typeof value === 'number') return message([head, varintField(3, value), varintField(20, 2)]);
  if (typeof value === 'string') return message([head, bytesField(4, value), varintField(20, 3)]);
  if ('float' in value) return message([head, floatField(2, value.float), varintField(20, 1)]);
  return message([head, ...value.map((item) => varintField(8, item)), varintField(20, 7)]);
}

function valueInfo(name: string, type: ElementType, dims: readonly Dimension[]): Bytes {
  const shape = message(
    dims.map((dim) => bytesField(1, typeof dim === 'number' ? varintField(1, dim) : bytesField(2, dim))),
  );
  const tensorType = message([varintField(1, ONNX_TYPE[type]), bytesField(2, shape)]);
  return message([bytesField(1, name), bytesField(2, bytesField(1, tensorType))]);
}

function tensorProto(name: string, tensor: ConstantTensor, data: readonly Bytes[]): Bytes {
  return message([
    ...tensor.dims.map((dim) => varintField(1, dim)),
    varintField(2, ONNX_TYPE[tensor.type]),
    bytesField(8, name),
    ...data,
  ]);
}

function rawOf({ data }: ConstantTensor): Bytes {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function externalData(graphFile: string, offset: number, length: number): Bytes[] {
  const entry = (key: string, value: string) =>
    bytesField(13, message([bytesField(1, key), bytesField(2, value)]));
  return [
    entry('location', `${graphFile}.data`),
    entry('offset', String(offset)),
    entry('length', String(length)),
    varintField(14, 1),
  ];
}
