/** The encoder's graphs on ONNX Runtime: each call computes one step of one block for some rows, into memory that the caller gives. */
import { join } from 'node:path';
import { type OnnxSession, type OnnxTensor, openOnnxSession } from '../../backends/onnx.ts';
import { openSafetensorsWeights } from '../../graphs/safetensors-weights.ts';
import type { ChunkFormerSizes } from './checkpoint.ts';
import { GRAPH_WEIGHTS } from './layer-weights.ts';
import { distanceCount, distanceEmbeddings } from './positions.ts';
import type { ChunkSettings } from './settings.ts';

type Feeds = Readonly<Record<string, OnnxTensor>>;

/** Rows of some chunks that lie one after another, and what the chunks see of what lies around them. */
export interface Seen {
  readonly chunks: number;
  /** Rows that each chunk sees; the next chunk's begin `chunkSize` rows later. */
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
export interface EncoderRuntime {
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
  /** Of every symbol, [rows × vocabulary]. */
  logProbs(stream: Float32Array): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Reads what `convert.ts` has written. Throws `model_failed`, `not_runnable`. */
export async function openEncoderRuntime(
  directory: string,
  options: { readonly sizes: ChunkFormerSizes; readonly settings: ChunkSettings; readonly threads: number },
): Promise<EncoderRuntime> {
  const { sizes, settings } = options;
  const { positions, ...sessions } = await openSessions(directory, options);
  const layers = await readLayers(directory, { ...options, positions });
  const { width, bins, vocabulary } = sizes;
  const rows = (data: Float32Array): OnnxTensor<Float32Array> => ({
    data,
    dims: [data.length / width, width],
  });
  const indices = createIndices(settings.chunkSize);
  return {
    sizes,
    settings,
    async embed(features, into) {
      const feeds = { features: { data: features, dims: [features.length / bins, bins] } };
      await sessions.embed.run(feeds, [], { stream: rows(into) });
    },
    async project(layer, stream, into) {
      await sessions.project.run({ ...layers[layer]!.project, stream: rows(stream) }, [], {
        fed: rows(into.stream),
        query_rows: rows(into.query),
        key_rows: rows(into.key),
        value_rows: rows(into.value),
      });
    },
    async attend(layer, { stream, query, key, value, seen }, into) {
      const feeds = {
        ...layers[layer]!.attend,
        ...attendFeeds(seen, { sizes, settings }),
        stream: rows(stream),
        query: rows(query),
        key: rows(key),
        value: rows(value),
        index: indices(seen.chunks, seen.count),
      };
      await sessions.attend.run(feeds, [], { attended: rows(into.stream), gated_rows: rows(into.gated) });
    },
    async finish(layer, { stream, gated, seen }, into) {
      const { chunks, count, mask } = seen;
      const feeds = {
        ...layers[layer]!.finish,
        stream: rows(stream),
        gated: rows(gated),
        index: indices(chunks, count),
        mask: { data: mask, dims: [chunks, count, 1] },
      };
      await sessions.finish.run(feeds, [], { finished: rows(into) });
    },
    async head(stream) {
      const { ids, best } = await sessions.head.run({ stream: rows(stream) }, ['ids', 'best']);
      return { ids: ids!.data as BigInt64Array, logProbs: best!.data as Float32Array };
    },
    async logProbs(stream) {
      const data = new Float32Array((stream.length / width) * vocabulary);
      await sessions.head.run({ stream: rows(stream) }, [], {
        log_probs: { data, dims: [stream.length / width, vocabulary] },
      });
      return data;
    },
    async close() {
      for (const session of Object.values(sessions)) await session.close();
    },
  };
}

async function openSessions(directory: string, options: { readonly threads: number }) {
  const open = (name: string) => openOnnxSession(join(directory, `${name}.onnx`), options);
  return {
    embed: await open('embed'),
    project: await open('project'),
    attend: await open('attend'),
    finish: await open('finish'),
    head: await open('head'),
    positions: await open('positions'),
  };
}

/** What attention must know of the chunks beside their rows: forms, and where scores by distance are cut. */
function attendFeeds(
  { chunks, count, mask }: Seen,
  { sizes, settings }: Pick<EncoderRuntime, 'sizes' | 'settings'>,
): Feeds {
  const { width, heads } = sizes;
  const { chunkSize } = settings;
  const places = distanceCount(settings);
  return {
    query_shape: integers([chunks, chunkSize, heads, width / heads]),
    mask: { data: mask, dims: [chunks, 1, 1, count] },
    line_start: integers([chunkSize - 1]),
    line_end: integers([chunkSize * places - 1]),
    line_shape: integers([0, 0, chunkSize, places - 1]),
    seen_count: integers([count]),
  };
}

type LayerFeeds = Readonly<Record<'project' | 'attend' | 'finish', Feeds>>;

async function readLayers(
  directory: string,
  {
    sizes,
    settings,
    positions,
  }: { readonly sizes: ChunkFormerSizes; readonly settings: ChunkSettings; readonly positions: OnnxSession },
): Promise<LayerFeeds[]> {
  const { width, heads } = sizes;
  const places = distanceCount(settings);
  const embeddings = { data: distanceEmbeddings(settings, width), dims: [places, width] };
  const weights = openSafetensorsWeights(directory);
  const layers: LayerFeeds[] = [];
  try {
    for (let layer = 0; layer < sizes.layers; layer += 1) {
      const feedsOf = (graph: keyof typeof GRAPH_WEIGHTS): Feeds =>
        Object.fromEntries(
          GRAPH_WEIGHTS[graph].map((name) => {
            const stored = `${layer}.${name}`;
            return [name, { data: weights.read(stored), dims: weights.dims(stored) }];
          }),
        );
      // Distances are the same for every chunk of every recording.
      const data = new Float32Array(width * places);
      const placed = { data, dims: [heads, width / heads, places] };
      await positions.run({ embeddings, ...feedsOf('positions') }, [], { positions: placed });
      layers.push({
        project: feedsOf('project'),
        attend: { ...feedsOf('attend'), positions: placed },
        finish: feedsOf('finish'),
      });
    }
  } finally {
    weights.close();
    await positions.close();
  }
  return layers;
}

/** [chunks × count]: which rows each chunk sees. There are few forms, and each is used many times. */
function createIndices(chunkSize: number): (chunks: number, count: number) => OnnxTensor {
  const made = new Map<string, OnnxTensor>();
  return (chunks, count) => {
    const form = `${chunks} ${count}`;
    let index = made.get(form);
    if (index === undefined) {
      const data = new BigInt64Array(chunks * count);
      for (let place = 0; place < data.length; place += 1)
        data[place] = BigInt(Math.floor(place / count) * chunkSize + (place % count));
      index = { data, dims: [chunks, count] };
      made.set(form, index);
    }
    return index;
  };
}

function integers(values: readonly number[]): OnnxTensor {
  return { data: BigInt64Array.from(values, BigInt), dims: [values.length] };
}
