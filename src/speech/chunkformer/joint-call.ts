/**
 * Calls of one step of one block made as one: their rows lie one after another, and each chunk sees rows of its own recording alone. Nothing is padded,
 * and rows meet nowhere but in what chunks see, so that the numbers are those of each call alone.
 */
import type { Arrays, GraphCall, Seen } from './encoder.ts';

export interface JointCall {
  readonly call: GraphCall;
  /** Copies what was computed to where each of the calls wants it. */
  spread(): void;
}

/**
 * Makes one call of some that have the same graph and layer. Its megabytes are those of the call before, and grow to the largest: there are dozens of
 * calls for every few seconds of sound.
 */
export function createJoiner(): (calls: readonly GraphCall[]) => JointCall {
  const memory = new Map<string, Float32Array | BigInt64Array>();

  function room(name: string, parts: readonly Arrays[string][]): Arrays[string] {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    let held = memory.get(name);
    if (held === undefined || held.length < length) {
      held = parts[0] instanceof Float32Array ? new Float32Array(length) : new BigInt64Array(length);
      memory.set(name, held);
    }
    return held.subarray(0, length);
  }

  /** Room for the values of all under each name. */
  function roomFor(all: readonly Arrays[]): Arrays {
    const names = Object.keys(all[0]!);
    return Object.fromEntries(names.map((name) => [name, room(name, valuesOf(all, name))]));
  }

  return (calls) => {
    const allInputs = calls.map(({ inputs }) => inputs);
    const allOutputs = calls.map(({ outputs }) => outputs);
    const inputs = roomFor(allInputs);
    for (const [name, whole] of Object.entries(inputs))
      for (const [part, place] of cut(whole, valuesOf(allInputs, name))) place.set(bytesOf(part));
    const outputs = roomFor(allOutputs);
    const { graph, layer } = calls[0]!;
    const frames = calls.reduce((sum, call) => sum + call.frames, 0);
    return {
      call: { graph, layer, frames, inputs, outputs, seen: joinSeen(calls) },
      spread() {
        for (const [name, whole] of Object.entries(outputs))
          for (const [part, place] of cut(whole, valuesOf(allOutputs, name))) bytesOf(part).set(place);
      },
    };
  };
}

function valuesOf(all: readonly Arrays[], name: string): Arrays[string][] {
  return all.map((arrays) => arrays[name]!);
}

/** Each part, and the bytes where it lies in the whole. */
function* cut(whole: Arrays[string], parts: readonly Arrays[string][]) {
  let at = 0;
  for (const part of parts) {
    yield [part, bytesOf(whole).subarray(at, at + part.byteLength)] as const;
    at += part.byteLength;
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Arrays[string]): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Each call's rows around its chunks end with the last that a chunk sees. */
function joinSeen(calls: readonly GraphCall[]): Seen | undefined {
  const all = calls.flatMap(({ seen }) => seen ?? []);
  if (all.length === 0) return undefined;
  const starts: number[] = [];
  let rows = 0;
  for (const seen of all) {
    for (const start of seen.starts) starts.push(rows + start);
    rows += seen.starts.at(-1)! + seen.count;
  }
  const mask = new Float32Array(all.reduce((sum, seen) => sum + seen.mask.length, 0));
  let at = 0;
  for (const seen of all) {
    mask.set(seen.mask, at);
    at += seen.mask.length;
  }
  return { starts, count: all[0]!.count, mask };
}
