/** ONNX Runtime on the CPU: the only file that knows the library. */
import { readFile } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';

type Numbers = Float32Array | Int8Array | Uint8Array | BigInt64Array;

/** A dense tensor, row-major. A result's data belongs to the runtime until it is garbage; it may be fed back without a copy. */
export interface OnnxTensor<T extends Numbers = Numbers> {
  readonly data: T;
  readonly dims: readonly number[];
}

export interface OnnxSession {
  /** As the graph names them. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Runs the graph and gives the named outputs. Those in `into` are written there, where the caller has memory for them. The thread is busy meanwhile. */
  run(
    feeds: Readonly<Record<string, OnnxTensor>>,
    outputs: readonly string[],
    into?: Readonly<Record<string, OnnxTensor>>,
  ): Promise<Record<string, OnnxTensor>>;
  close(): Promise<void>;
}

export interface OnnxOptions {
  /** Threads of one operator; never more than free cores, since they wait for one another. */
  readonly threads: number;
  /**
   * Threads wait for one another by turning in circles while a graph runs, and not between runs: faster where operators are short, and a
   * loss where other work could have had the core. False where it is left out.
   */
  readonly spins?: boolean;
}

/** Long enough for the next operator; longer is time that another thread could have had. */
const SPINNING = { allow_spinning: '1', spin_duration_us: '50' };

/** Loads a graph from a file, or from memory. Throws `model_failed` when the runtime refuses it and `not_runnable` when there is no runtime. */
export async function openOnnxSession(
  graph: string | Uint8Array,
  options: OnnxOptions,
): Promise<OnnxSession> {
  const ort = await importRuntime();
  // The library's types have an overload for each, but none for both.
  const session = await ort.InferenceSession.create(graph as string, {
    executionProviders: ['cpu'],
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    enableCpuMemArena: true,
    enableMemPattern: false,
    logSeverityLevel: 3,
    // Threads that spin while they wait slow the other sessions and the server down: 13 % on whisper-base (docs/benchmarks.md).
    extra: {
      session: { intra_op: options.spins ? SPINNING : { allow_spinning: '0' }, force_spinning_stop: '1' },
      // SkipLayerNormalization is slower than what it is made of (docs/benchmarks.md).
      optimization: { disable_specified_optimizers: 'SkipLayerNormFusion' },
    },
  }).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError(
      'model_failed',
      `ONNX Runtime could not load ${typeof graph === 'string' ? graph : 'a graph'}: ${reason}`,
      { cause },
    );
  });
  return {
    inputs: session.inputNames,
    outputs: session.outputNames,
    async run(feeds, outputs, into = {}) {
      const tensorOf = ({ data, dims }: OnnxTensor) => {
        if (data instanceof Float32Array) return new ort.Tensor('float32', data, dims);
        if (data instanceof BigInt64Array) return new ort.Tensor('int64', data, dims);
        return data instanceof Int8Array
          ? new ort.Tensor('int8', data, dims)
          : new ort.Tensor('uint8', data, dims);
      };
      const named = (tensors: Readonly<Record<string, OnnxTensor>>) =>
        Object.entries(tensors).map(([name, tensor]) => [name, tensorOf(tensor)] as const);
      const fetches = Object.fromEntries([...outputs.map((name) => [name, null] as const), ...named(into)]);
      const results = await session.run(Object.fromEntries(named(feeds)), fetches);
      return { ...(results as unknown as Record<string, OnnxTensor>), ...into }; // its Tensor has data and dims of these types
    },
    close: () => session.release(),
  };
}

/** The installed version, without loading the library. */
export async function onnxRuntimeVersion(): Promise<string> {
  // Its entry is dist/index.js.
  const manifest = new URL('../package.json', import.meta.resolve('onnxruntime-node'));
  return (JSON.parse(await readFile(manifest, 'utf8')) as { version: string }).version;
}

/** Imported at first use: a machine without the native part can still run everything that needs no model. */
async function importRuntime(): Promise<typeof import('onnxruntime-node')> {
  try {
    return await import('onnxruntime-node');
  } catch (cause) {
    throw new AppError(
      'not_runnable',
      `ONNX Runtime does not run on this machine (${process.platform} ${process.arch}). It ships for Linux (glibc 2.28 or newer) on x64 and arm64, macOS on arm64 and Windows. "percept doctor" says more.`,
      { cause },
    );
  }
}
