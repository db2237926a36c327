/**
 * Reads a checkpoint that `torch.save(model.state_dict())` has written: a zip file with `<folder>/data.pkl`, which names tensors as views of
 * storages, and `<folder>/data/<key>`, the bytes of each storage (torch/serialization.py, `_save`).
 */
import { AppError } from '../base/errors.ts';
import { bfloat16ToFloat32, halfToFloat32 } from './half.ts';
import { isPickleGlobal, type PickleReader, type PickleValue, readPickle } from './pickle.ts';
import { missingTensor, PositionedFile, type Weights } from './weight-file.ts';
import { readStoredMembers, type StoredMember } from './zip-directory.ts';

/** Names and shapes only; 64 MiB would describe a hundred thousand tensors. */
const MAX_PICKLE_BYTES = 64 * 2 ** 20;

const ITEM_BYTES = {
  'torch.FloatStorage': 4,
  'torch.DoubleStorage': 8,
  'torch.HalfStorage': 2,
  'torch.BFloat16Storage': 2,
  'torch.LongStorage': 8,
  'torch.IntStorage': 4,
  'torch.ShortStorage': 2,
  'torch.CharStorage': 1,
  'torch.ByteStorage': 1,
  'torch.BoolStorage': 1,
} as const;
type StorageType = keyof typeof ITEM_BYTES;

const CALLS = [
  'collections.OrderedDict',
  'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_parameter',
] as const;

class Storage {
  readonly type: StorageType;
  readonly key: string;

  constructor(type: StorageType, key: string) {
    this.type = type;
    this.key = key;
  }
}

class Tensor {
  readonly storage: Storage;
  /** In items, as are the strides. */
  readonly offset: number;
  readonly dims: readonly number[];
  readonly strides: readonly number[];

  constructor(
    storage: Storage,
    view: { offset: number; dims: readonly number[]; strides: readonly number[] },
  ) {
    this.storage = storage;
    this.offset = view.offset;
    this.dims = view.dims;
    this.strides = view.strides;
  }
}

/** Opens the file and reads its names; tensors are read one at a time. Throws `unsupported_model`. */
export function openPytorchWeights(path: string): Weights {
  const file = new PositionedFile(path);
  try {
    return weightsOf(file);
  } catch (error) {
    file.close();
    throw error;
  }
}

function weightsOf(file: PositionedFile): Weights {
  const members = readStoredMembers(file);
  const folder = folderOf(file, members);
  const tensors = readTensors(file, members.get(`${folder}data.pkl`)!);
  const order = members.get(`${folder}byteorder`);
  if (order !== undefined && file.read(order.offset, Math.min(order.sizeBytes, 8)).toString() !== 'little')
    throw new AppError(
      'unsupported_model',
      `${file.path} was written on a big-endian machine, which is not supported.`,
    );
  const find = (name: string) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw missingTensor(file.path, name);
    return tensor;
  };
  return {
    has: (name) => tensors.has(name),
    dims: (name) => find(name).dims,
    read(name) {
      const tensor = find(name);
      const member = members.get(`${folder}data/${tensor.storage.key}`);
      if (member === undefined) throw damaged(file, `the bytes of ${name} are missing`);
      return readTensor(file, name, { tensor, member });
    },
    close: () => file.close(),
  };
}

/** All members lie in one folder, whose name is the file's at the time of writing. */
function folderOf(file: PositionedFile, members: ReadonlyMap<string, StoredMember>): string {
  for (const name of members.keys())
    if (/^[^/]*\/data\.pkl$/.test(name)) return name.slice(0, -'data.pkl'.length);
  throw damaged(file, 'it holds no data.pkl');
}

function readTensors(file: PositionedFile, member: StoredMember): ReadonlyMap<string, Tensor> {
  if (member.sizeBytes > MAX_PICKLE_BYTES)
    throw damaged(file, `its data.pkl takes ${member.sizeBytes} bytes`);
  const value = readPickle(file.read(member.offset, member.sizeBytes), pickleReader(file));
  if (!(value instanceof Map)) throw damaged(file, 'it holds no state_dict');
  const tensors = new Map<string, Tensor>();
  for (const [name, tensor] of value) if (tensor instanceof Tensor) tensors.set(name as string, tensor);
  if (tensors.size === 0)
    throw damaged(file, 'its state_dict holds no tensors; save model.state_dict() itself');
  return tensors;
}

function pickleReader(file: PositionedFile): PickleReader {
  return {
    origin: file.path,
    allows: (name) => Object.hasOwn(ITEM_BYTES, name) || (CALLS as readonly string[]).includes(name),
    call(name, args) {
      switch (name as (typeof CALLS)[number]) {
        case 'collections.OrderedDict':
          return new Map();
        case 'torch._utils._rebuild_parameter':
          return args[0];
        case 'torch._utils._rebuild_tensor_v2':
          return tensorOf(file, args);
        default:
          throw damaged(file, `it calls ${name}`);
      }
    },
    persistent(id) {
      const [kind, type, key] = Array.isArray(id) ? (id as PickleValue[]) : [];
      const isStorage = kind === 'storage' && isPickleGlobal(type) && Object.hasOwn(ITEM_BYTES, type.global);
      if (!isStorage || typeof key !== 'string')
        throw damaged(file, 'it refers to something that is no storage');
      return new Storage(type.global as StorageType, key);
    },
  };
}

function tensorOf(file: PositionedFile, [storage, offset, dims, strides]: readonly PickleValue[]): Tensor {
  const isCount = (value: PickleValue) => Number.isSafeInteger(value) && (value as number) >= 0;
  const areCounts = (value: PickleValue) => Array.isArray(value) && value.length <= 8 && value.every(isCount);
  if (!(storage instanceof Storage) || !isCount(offset) || !areCounts(dims) || !areCounts(strides))
    throw damaged(file, 'a tensor of it has an impossible form');
  return new Tensor(storage, {
    offset: offset as number,
    dims: dims as number[],
    strides: strides as number[],
  });
}

function readTensor(
  file: PositionedFile,
  name: string,
  { tensor, member }: { readonly tensor: Tensor; readonly member: StoredMember },
): Float32Array {
  const { storage, offset, dims, strides } = tensor;
  const itemBytes = ITEM_BYTES[storage.type];
  const count = dims.reduce((product, length) => product * length, 1);
  const last = dims.reduce((sum, length, axis) => sum + (length - 1) * strides[axis]!, 0);
  const span = count === 0 ? 0 : last + 1;
  // A view that repeats its storage could claim any size.
  if (
    dims.length !== strides.length ||
    !Number.isSafeInteger(span) ||
    (offset + span) * itemBytes > member.sizeBytes ||
    count > span
  )
    throw damaged(file, `the tensor ${name} does not fit its bytes`);
  const values = toFloat32(file.read(member.offset + offset * itemBytes, span * itemBytes), storage.type);
  return isContiguous(tensor) ? values : gather(values, tensor, count);
}

function isContiguous({ dims, strides }: Tensor): boolean {
  let expected = 1;
  for (let axis = dims.length - 1; axis >= 0; axis -= 1) {
    if (dims[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= dims[axis]!;
  }
  return true;
}

/** Row-major, whatever the order of the storage. */
function gather(values: Float32Array, { dims, strides }: Tensor, count: number): Float32Array {
  const gathered = new Float32Array(count);
  for (let index = 0; index < count; index += 1) {
    let rest = index;
    let place = 0;
    for (let axis = dims.length - 1; axis >= 0; axis -= 1) {
      place += (rest % dims[axis]!) * strides[axis]!;
      rest = Math.floor(rest / dims[axis]!);
    }
    gathered[index] = values[place]!;
  }
  return gathered;
}

function toFloat32({ buffer }: Buffer, type: StorageType): Float32Array {
  switch (type) {
    case 'torch.FloatStorage':
      return new Float32Array(buffer);
    case 'torch.DoubleStorage':
      return Float32Array.from(new Float64Array(buffer));
    case 'torch.HalfStorage':
      return halfToFloat32(new Uint16Array(buffer));
    case 'torch.BFloat16Storage':
      return bfloat16ToFloat32(new Uint16Array(buffer));
    case 'torch.LongStorage':
      return Float32Array.from(new BigInt64Array(buffer), Number);
    case 'torch.IntStorage':
      return Float32Array.from(new Int32Array(buffer));
    case 'torch.ShortStorage':
      return Float32Array.from(new Int16Array(buffer));
    case 'torch.CharStorage':
      return Float32Array.from(new Int8Array(buffer));
    case 'torch.ByteStorage':
    case 'torch.BoolStorage':
      return Float32Array.from(new Uint8Array(buffer));
    default:
      throw new Error(`Unknown storage ${type satisfies never}.`);
  }
}

function damaged(file: PositionedFile, problem: string): AppError {
  return new AppError('unsupported_model', `${file.path} is not a checkpoint that can be read: ${problem}.`);
}
