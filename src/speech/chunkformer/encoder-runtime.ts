/** The encoder's graphs on ONNX Runtime. */
import { join } from 'node:path';
import { type OnnxSession, type OnnxTensor, openOnnxSession } from '../../backends/onnx.ts';
import { openSafetensorsWeights } from '../../graphs/safetensors-weights.ts';
import type { ChunkFormerSizes } from './checkpoint.ts';
import type { Arrays, GraphCall, Seen } from './encoder.ts';
import { GRAPH_WEIGHTS } from './layer-weights.ts';
import { distanceCount, distanceEmbeddings } from './positions.ts';
import type { ChunkSettings } from './settings.ts';

type Feeds = Readonly<Record<string, OnnxTensor>>;

export interface EncoderRuntime {
  readonly sizes: ChunkFormerSizes;
  readonly settings: ChunkSettings;
  /** The thread is busy meanwhile. Throws `model_failed`. */
  run(call: GraphCall): Promise<void>;
  /** Of every symbol, natural logarithms [rows × vocabulary], for rows [rows × width] before the head. */
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
  const tensorOf = (name: string, data: Float32Array | BigInt64Array): OnnxTensor => {
    const isOneByRow = name === 'ids' || name === 'best';
    const columns = name === 'features' ? bins : width;
    return { data, dims: isOneByRow ? [data.length] : [data.length / columns, columns] };
  };
  const tensorsOf = (arrays: Arrays): Feeds =>
    Object.fromEntries(Object.entries(arrays).map(([name, data]) => [name, tensorOf(name, data)]));
  return {
    sizes,
    settings,
    async run({ graph, layer, inputs, seen, outputs }) {
      const feeds = { ...tensorsOf(inputs), ...seenFeeds(graph, seen, { sizes, settings }) };
      const weights = graph === 'embed' || graph === 'head' ? {} : layers[layer]![graph];
      await sessions[graph].run({ ...weights, ...feeds }, [], tensorsOf(outputs));
    },
    async logProbs(stream) {
      const data = new Float32Array((stream.length / width) * vocabulary);
      await sessions.head.run({ stream: tensorOf('stream', stream) }, [], {
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

/** What the graphs that look around must know beside rows: which ones, and for attention forms and where scores by distance are cut. */
function seenFeeds(
  graph: GraphCall['graph'],
  seen: Seen | undefined,
  { sizes, settings }: Pick<EncoderRuntime, 'sizes' | 'settings'>,
): Feeds {
  if (seen === undefined) return {};
  const { starts, count, mask } = seen;
  const chunks = starts.length;
  const places = new BigInt64Array(chunks * count);
  for (let place = 0; place < places.length; place += 1)
    places[place] = BigInt(starts[Math.floor(place / count)]! + (place % count));
  const index = { data: places, dims: [chunks, count] };
  if (graph === 'finish') return { index, mask: { data: mask, dims: [chunks, count, 1] } };
  const { width, heads } = sizes;
  const { chunkSize } = settings;
  const distances = distanceCount(settings);
  return {
    index,
    mask: { data: mask, dims: [chunks, 1, 1, count] },
    query_shape: integers([chunks, chunkSize, heads, width / heads]),
    line_start: integers([chunkSize - 1]),
    line_end: integers([chunkSize * distances - 1]),
    line_shape: integers([0, 0, chunkSize, distances - 1]),
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

function integers(values: readonly number[]): OnnxTensor {
  return { data: BigInt64Array.from(values, BigInt), dims: [values.length] };
}
