/** Weights of an ONNX file: its float32 initializers by name (onnx.proto3, ModelProto). The graph itself is not read. */
import { AppError } from '../base/errors.ts';

export interface OnnxWeight {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Field numbers of the messages that are read, and the float32 of TensorProto.DataType. */
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const TENSOR = { dims: 1, dataType: 2, name: 8, rawData: 9 } as const;
const FLOAT = 1;

/** Throws `model_failed` for what is no protocol buffer. Initializers that are no raw float32 are left out. */
export function readOnnxWeights(file: Uint8Array): Map<string, OnnxWeight> {
  const weights = new Map<string, OnnxWeight>();
  for (const graph of messagesIn(file, MODEL_GRAPH)) {
    for (const tensor of messagesIn(graph, GRAPH_INITIALIZER)) {
      const dims: number[] = [];
      let [name, type, raw]: [string, number, Uint8Array | undefined] = ['', 0, undefined];
      for (const { field, number, bytes } of fieldsOf(tensor)) {
        if (field === TENSOR.dims) dims.push(...(bytes === undefined ? [number] : varintsIn(bytes)));
        if (field === TENSOR.dataType) type = number;
        if (field === TENSOR.name) name = new TextDecoder().decode(bytes);
        if (field === TENSOR.rawData) raw = bytes;
      }
      if (type === FLOAT && raw !== undefined) weights.set(name, { dims, data: floatsOf(raw) });
    }
  }
  return weights;
}

function floatsOf(raw: Uint8Array): Float32Array {
  // A copy, since the bytes in the file need not be aligned.
  return new Float32Array(new Uint8Array(raw).buffer, 0, Math.floor(raw.byteLength / 4));
}

interface Field {
  readonly field: number;
  /** Of a varint; 0 for other types. */
  readonly number: number;
  /** Of a string, bytes or a message. */
  readonly bytes: Uint8Array | undefined;
}

function messagesIn(message: Uint8Array, field: number): Uint8Array[] {
  return [...fieldsOf(message)].flatMap((found) =>
    found.field === field && found.bytes !== undefined ? [found.bytes] : [],
  );
}

function* fieldsOf(message: Uint8Array): Generator<Field> {
  const cursor = { at: 0 };
  while (cursor.at < message.length) {
    const key = varintAt(message, cursor);
    const field = Math.floor(key / 8);
    switch (key % 8) {
      case 0:
        yield { field, number: varintAt(message, cursor), bytes: undefined };
        break;
      case 1:
        cursor.at += 8;
        break;
      case 2: {
        const length = varintAt(message, cursor);
        if (cursor.at + length > message.length) throw notOnnx();
        yield { field, number: 0, bytes: message.subarray(cursor.at, cursor.at + length) };
        cursor.at += length;
        break;
      }
      case 5:
        cursor.at += 4;
        break;
      default:
        throw notOnnx();
    }
  }
}

function varintsIn(bytes: Uint8Array): number[] {
  const cursor = { at: 0 };
  const numbers: number[] = [];
  while (cursor.at < bytes.length) numbers.push(varintAt(bytes, cursor));
  return numbers;
}

function varintAt(bytes: Uint8Array, cursor: { at: number }): number {
  let value = 0;
  for (let place = 1; ; place *= 128) {
    const byte = bytes[cursor.at];
    cursor.at += 1;
    if (byte === undefined || place > Number.MAX_SAFE_INTEGER) throw notOnnx();
    value += (byte % 128) * place;
    if (byte < 128) return value;
  }
}

function notOnnx(): AppError {
  return new AppError('model_failed', 'The file is not an ONNX model, or is cut short.');
}
