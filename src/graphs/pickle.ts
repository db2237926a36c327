/**
 * Reads Python pickles without running anything: the few instructions that containers, numbers, texts and calls need
 * (https://github.com/python/cpython/blob/main/Lib/pickletools.py). A call is never made; the caller is asked what a named function with its
 * arguments stands for, and refuses all names that it does not know.
 */
import { AppError } from '../base/errors.ts';

export type PickleValue = unknown;

/** A Python name that the pickle mentions. */
export interface PickleGlobal {
  readonly global: string;
}

export interface PickleReader {
  /** For messages. */
  readonly origin: string;
  /** Whether `module.name` may occur at all. */
  allows(name: string): boolean;
  /** What `name(...args)` stands for. */
  call(name: string, args: readonly PickleValue[]): PickleValue;
  /** What a reference out of the pickle stands for. */
  persistent(id: PickleValue): PickleValue;
}

/** Python's dict and OrderedDict; only text keys are kept. */
export type PickleDict = Map<string, PickleValue>;

/** Where the arguments of an instruction begin on the stack. */
const MARK = Symbol('mark');

/** Gives the value that the pickle describes. Throws `unsupported_model`, naming what is not allowed. */
export function readPickle(bytes: Buffer, reader: PickleReader): PickleValue {
  const machine = new Machine(bytes, reader);
  try {
    return machine.run();
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    throw refuse(reader, 'it breaks off');
  }
}

export function isPickleGlobal(value: PickleValue): value is PickleGlobal {
  return typeof value === 'object' && value !== null && 'global' in value;
}

class Machine {
  readonly #bytes: Buffer;
  readonly #reader: PickleReader;
  readonly #stack: PickleValue[] = [];
  readonly #memo = new Map<number, PickleValue>();
  #at = 0;

  constructor(bytes: Buffer, reader: PickleReader) {
    this.#bytes = bytes;
    this.#reader = reader;
  }

  run(): PickleValue {
    for (;;) {
      const code = String.fromCharCode(this.#byte());
      if (code === '.') return this.#pop();
      const instruction = INSTRUCTIONS[code];
      if (instruction === undefined)
        throw refuse(this.#reader, `it holds the instruction 0x${code.charCodeAt(0).toString(16)}`);
      instruction(this);
    }
  }

  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  mark(): void {
    this.#stack.push(MARK);
  }

  /** What lies above the last mark, which goes. */
  marked(): PickleValue[] {
    const at = this.#stack.lastIndexOf(MARK);
    if (at < 0) throw refuse(this.#reader, 'it is damaged');
    const values = this.#stack.splice(at);
    return values.slice(1);
  }

  tuple(length: number): void {
    if (this.#stack.length < length) throw refuse(this.#reader, 'it is damaged');
    this.push(this.#stack.splice(this.#stack.length - length));
  }

  integer(sizeBytes: 1 | 2 | 4): number {
    this.#at += sizeBytes;
    return this.#bytes.readUIntLE(this.#at - sizeBytes, sizeBytes);
  }

  signed(): number {
    this.#at += 4;
    return this.#bytes.readInt32LE(this.#at - 4);
  }

  double(): number {
    this.#at += 8;
    return this.#bytes.readDoubleBE(this.#at - 8);
  }

  /** Little-endian two's complement of any length. */
  long(): number {
    const bytes = this.#take(this.integer(1));
    let value = 0n;
    for (const [index, byte] of bytes.entries()) value |= BigInt(byte) << BigInt(8 * index);
    return Number(BigInt.asIntN(8 * bytes.length, value));
  }

  text(sizeBytes: number): string {
    return this.#take(sizeBytes).toString('utf8');
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw refuse(this.#reader, 'it breaks off');
    const text = this.text(end - this.#at);
    this.#at = end + 1;
    return text;
  }

  global(module: string, name: string): void {
    const global = `${module}.${name}`;
    if (!this.#reader.allows(global))
      throw refuse(
        this.#reader,
        `it asks to use Python's ${JSON.stringify(global)}, which is none of the parts that tensors are made of`,
      );
    this.push({ global } satisfies PickleGlobal);
  }

  call(): void {
    const args = this.#pop();
    const callee = this.#pop();
    if (!isPickleGlobal(callee) || !Array.isArray(args)) throw refuse(this.#reader, 'it is damaged');
    this.push(this.#reader.call(callee.global, args));
  }

  persistent(): void {
    this.push(this.#reader.persistent(this.#pop()));
  }

  /** The state of an OrderedDict is remarks of PyTorch's about versions. */
  build(): void {
    this.#pop();
  }

  setItems(items: readonly PickleValue[]): void {
    const target = this.#top();
    if (!(target instanceof Map)) throw refuse(this.#reader, 'it is damaged');
    for (let index = 0; index + 1 < items.length; index += 2) {
      const key = items[index];
      if (typeof key === 'string') target.set(key, items[index + 1]);
    }
  }

  append(items: readonly PickleValue[]): void {
    const target = this.#top();
    if (!Array.isArray(target)) throw refuse(this.#reader, 'it is damaged');
    for (const item of items) target.push(item);
  }

  remember(index: number): void {
    this.#memo.set(index, this.#top());
  }

  recall(index: number): void {
    if (!this.#memo.has(index)) throw refuse(this.#reader, 'it is damaged');
    this.push(this.#memo.get(index));
  }

  pair(): [PickleValue, PickleValue] {
    const value = this.#pop();
    return [this.#pop(), value];
  }

  pop(): PickleValue {
    return this.#pop();
  }

  #byte(): number {
    this.#at += 1;
    return this.#bytes.readUInt8(this.#at - 1);
  }

  #take(sizeBytes: number): Buffer {
    this.#at += sizeBytes;
    if (this.#at > this.#bytes.length) throw refuse(this.#reader, 'it breaks off');
    return this.#bytes.subarray(this.#at - sizeBytes, this.#at);
  }

  #pop(): PickleValue {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #top(): PickleValue {
    const value = this.#stack.at(-1);
    if (this.#stack.length === 0 || value === MARK) throw refuse(this.#reader, 'it is damaged');
    return value;
  }
}

/** Protocol 2, which PyTorch writes. */
const INSTRUCTIONS: Readonly<Record<string, (machine: Machine) => void>> = {
  '\x80': (machine) => void machine.integer(1), // PROTO
  N: (machine) => machine.push(null),
  '\x88': (machine) => machine.push(true),
  '\x89': (machine) => machine.push(false),
  K: (machine) => machine.push(machine.integer(1)),
  M: (machine) => machine.push(machine.integer(2)),
  J: (machine) => machine.push(machine.signed()),
  '\x8a': (machine) => machine.push(machine.long()),
  G: (machine) => machine.push(machine.double()),
  X: (machine) => machine.push(machine.text(machine.integer(4))),
  '(': (machine) => machine.mark(),
  ')': (machine) => machine.push([]),
  ']': (machine) => machine.push([]),
  '}': (machine) => machine.push(new Map()),
  t: (machine) => machine.push(machine.marked()),
  '\x85': (machine) => machine.tuple(1),
  '\x86': (machine) => machine.tuple(2),
  '\x87': (machine) => machine.tuple(3),
  a: (machine) => machine.append([machine.pop()]),
  e: (machine) => machine.append(machine.marked()),
  s: (machine) => machine.setItems(machine.pair()),
  u: (machine) => machine.setItems(machine.marked()),
  q: (machine) => machine.remember(machine.integer(1)),
  r: (machine) => machine.remember(machine.integer(4)),
  h: (machine) => machine.recall(machine.integer(1)),
  j: (machine) => machine.recall(machine.integer(4)),
  c: (machine) => machine.global(machine.line(), machine.line()),
  R: (machine) => machine.call(),
  Q: (machine) => machine.persistent(),
  b: (machine) => machine.build(),
};

function refuse(reader: PickleReader, problem: string): AppError {
  return new AppError(
    'unsupported_model',
    `${reader.origin} is not read: ${problem}. Only a plain state_dict of tensors is, and nothing of it is ever run.`,
  );
}
