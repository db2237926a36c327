/** A constant of a graph. `data` is row-major and little endian, as ONNX wants raw tensors. */
export interface ConstantTensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: Float32Array | Int8Array | Uint8Array | BigInt64Array;
}

export type ElementType = 'float32' | 'uint8' | 'int8' | 'int64';

/** ONNX's TensorProto.DataType (onnx.proto3). */
export const ONNX_TYPE = { float32: 1, uint8: 2, int8: 3, int64: 7 } as const satisfies Record<
  ElementType,
  number
>;

export function float32(data: Float32Array | readonly number[], dims?: readonly number[]): ConstantTensor {
  const values = data instanceof Float32Array ? data : Float32Array.from(data);
  return { type: 'float32', dims: dims ?? [values.length], data: values };
}

export function int64(values: readonly number[], dims?: readonly number[]): ConstantTensor {
  return { type: 'int64', dims: dims ?? [values.length], data: BigInt64Array.from(values, BigInt) };
}

export function scalar(value: number): ConstantTensor {
  return { type: 'float32', dims: [], data: Float32Array.of(value) };
}

export function signedByteScalar(value: number): ConstantTensor {
  return { type: 'int8', dims: [], data: Int8Array.of(value) };
}

export function byteScalar(value: number): ConstantTensor {
  return { type: 'uint8', dims: [], data: Uint8Array.of(value) };
}
