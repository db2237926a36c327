/** The steps of the encoder as those who encode a recording ask for them. Each computes some rows of one block, into memory that the caller gives. */
import type { ChunkFormerSizes } from './checkpoint.ts';
import type { ChunkSettings } from './settings.ts';

/** What chunks see of the rows that lie around them. */
export interface Seen {
  /** Of each chunk, the first row that it sees. */
  readonly starts: readonly number[];
  /** Rows that each chunk sees. */
  readonly count: number;
  /** [chunks × count]: whether each is there, in the graph's own form. */
  readonly mask: Float32Array;
}

export interface ProjectOutputs {
  readonly stream: Float32Array;
  readonly query: Float32Array;
  readonly key: Float32Array;
  readonly value: Float32Array;
}

/** What a model says of each frame. */
export interface BestSymbols {
  readonly ids: BigInt64Array;
  /** Natural logarithms. */
  readonly logProbs: Float32Array;
}

/** All arrays are [rows × width], row-major. */
export interface Encoder {
  readonly sizes: ChunkFormerSizes;
  readonly settings: ChunkSettings;
  /** `features` are [8·rows + 7 × bins]. */
  embed(features: Float32Array, into: Float32Array): Promise<void>;
  project(layer: number, stream: Float32Array, into: ProjectOutputs): Promise<void>;
  attend(
    layer: number,
    input: ProjectOutputs & { readonly seen: Seen },
    into: { readonly stream: Float32Array; readonly gated: Float32Array },
  ): Promise<void>;
  finish(
    layer: number,
    input: { readonly stream: Float32Array; readonly gated: Float32Array; readonly seen: Seen },
    into: Float32Array,
  ): Promise<void>;
  head(stream: Float32Array): Promise<BestSymbols>;
}

/** By the names that the graph has for them, in its forms (`graphs.ts`). */
export type Arrays = Readonly<Record<string, Float32Array | BigInt64Array>>;

/** One step of one block for some rows. */
export interface GraphCall {
  readonly graph: 'embed' | 'project' | 'attend' | 'finish' | 'head';
  /** Of the graphs of a block; else 0. */
  readonly layer: number;
  /** How many it computes rows for. */
  readonly frames: number;
  readonly inputs: Arrays;
  /** Of the graphs that look around. */
  readonly seen: Seen | undefined;
  readonly outputs: Arrays;
}

/** The steps, each as one call of a graph. */
export function encoderOf(
  { sizes, settings }: Pick<Encoder, 'sizes' | 'settings'>,
  run: (call: GraphCall) => Promise<void>,
): Encoder {
  const framesOf = (rows: Float32Array) => rows.length / sizes.width;
  return {
    sizes,
    settings,
    embed: (features, into) =>
      run({
        graph: 'embed',
        layer: 0,
        frames: framesOf(into),
        inputs: { features },
        seen: undefined,
        outputs: { stream: into },
      }),
    project: (layer, stream, into) =>
      run({
        graph: 'project',
        layer,
        frames: framesOf(stream),
        inputs: { stream },
        seen: undefined,
        outputs: { fed: into.stream, query_rows: into.query, key_rows: into.key, value_rows: into.value },
      }),
    attend: (layer, { seen, ...inputs }, into) =>
      run({
        graph: 'attend',
        layer,
        frames: framesOf(inputs.stream),
        inputs,
        seen,
        outputs: { attended: into.stream, gated_rows: into.gated },
      }),
    finish: (layer, { seen, ...inputs }, into) =>
      run({
        graph: 'finish',
        layer,
        frames: framesOf(inputs.stream),
        inputs,
        seen,
        outputs: { finished: into },
      }),
    async head(stream) {
      const frames = framesOf(stream);
      const [ids, best] = [new BigInt64Array(frames), new Float32Array(frames)];
      await run({
        graph: 'head',
        layer: 0,
        frames,
        inputs: { stream },
        seen: undefined,
        outputs: { ids, best },
      });
      return { ids, logProbs: best };
    },
  };
}
