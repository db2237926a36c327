/** A CLIP model in memory, inside its model process: both encoders on the same cores, behind one queue each. */
import { join } from 'node:path';
import type { LoadedModel, LoadSpec } from '../../engine/protocol.ts';
import { createBatcher } from '../batcher.ts';
import { openImageFrontEnd, type ResizeMode } from '../image/front-end.ts';
import type { PictureLimits } from '../image/picture.ts';
import { cosine, type RankedLabel, rankLabels } from '../ranking.ts';
import type { Named } from '../service.ts';
import { readConvertedClip } from './convert.ts';
import type { ConvertedClip } from './description.ts';
import { type EncodersStart, startEncoders } from './encoder-thread.ts';
import type { ClipEncoders } from './encoders.ts';
import { averagePrompts, promptsOf } from './prompts.ts';
import { createTextEmbedder, rowsOf, type TextEmbedder, withParam } from './text-embedder.ts';
import { openTextTokenizer, type TextTokenizer } from './tokenizer.ts';

/** `LoadSpec.options` of a CLIP model. */
export type ClipLoadOptions = {
  /** Directory of what `convert.ts` wrote. */
  readonly graphs: string;
  readonly threads: number;
  readonly limits: PictureLimits;
  readonly resize: ResizeMode;
  /** Texts whose embeddings are remembered. */
  readonly textCacheEntries: number;
};

/** Input of the call `classify`; its output is `Classified`. */
export interface ClassifyInput {
  readonly images: readonly Named<Uint8Array>[];
  readonly labels: readonly Named<string>[];
  /** Each label is put in the place of `{}`, and the embeddings are averaged. */
  readonly templates: readonly string[];
  readonly topK: number;
  readonly threshold: number;
  /** In place of the model's own. */
  readonly logitScale: number | undefined;
}

export interface Classified {
  /** Of each image. */
  readonly rankings: readonly (readonly RankedLabel[])[];
  readonly texts: TextCounts;
}

export interface TextCounts {
  readonly hits: number;
  readonly misses: number;
}

/** Output of `embedImages`, whose input is `Named<Uint8Array>[]`. */
export interface EmbeddedImages {
  readonly embeddings: readonly Float32Array[];
}

/** Output of `embedTexts`, whose input is `Named<string>[]`. */
export interface EmbeddedTextList extends EmbeddedImages {
  readonly tokens: number;
  readonly texts: TextCounts;
}

/** One call of these takes a quarter of a second on two cores at int8; longer ones hold up whoever comes, and are no faster (docs/benchmarks.md). */
export const BATCH_IMAGES = 16;

/** The smallest picture that there is, a GIF; new each time, as a thread takes it. */
const ONE_PIXEL = () =>
  new Uint8Array(Buffer.from('R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAkQBADs=', 'base64'));

interface ClipModel {
  readonly described: ConvertedClip;
  readonly embedTexts: TextEmbedder;
  embedImages(images: readonly Named<Uint8Array>[], signal: AbortSignal): Promise<Float32Array[]>;
}

/** Throws `unsupported_model` or `model_failed`. */
export async function load(spec: LoadSpec): Promise<LoadedModel> {
  const options = spec.options as unknown as ClipLoadOptions; // made by app.ts
  const described = readConvertedClip(options.graphs);
  const tokenizer = openTextTokenizer(spec.directory, described);
  const encoders = await startEncoders(encodersStart(spec.directory, options, described));
  return serveClip({ described, tokenizer, encoders }, options);
}

export interface ClipParts {
  readonly described: ConvertedClip;
  readonly tokenizer: TextTokenizer;
  readonly encoders: ClipEncoders;
}

/** The calls of a CLIP model, wherever its encoders run. Owns them. */
export async function serveClip(
  { described, tokenizer, encoders }: ClipParts,
  options: Omit<ClipLoadOptions, 'graphs'>,
): Promise<LoadedModel> {
  const { dimension, preprocessing } = described;
  const { limits, resize } = options;
  const frontEnd = openImageFrontEnd({ preprocessing, limits, resize, workers: options.threads });
  const batcher = createBatcher<Uint8Array<ArrayBuffer>, Float32Array>({
    mostItems: BATCH_IMAGES,
    run: async (pictures) => rowsOf(await encoders.encodeImages(pictures), dimension),
  });
  const model: ClipModel = {
    described,
    embedTexts: createTextEmbedder({
      tokenizer,
      encoders,
      dimension,
      mostRemembered: options.textCacheEntries,
    }),
    embedImages: (images, signal) =>
      Promise.all(
        images.map(async ({ name, value }) => {
          const picture = await frontEnd.prepare(value, signal).catch((thrown: unknown) => {
            throw withParam(thrown, name);
          });
          return batcher.add(picture, signal);
        }),
      ),
  };
  await warmUp(encoders, described, tokenizer.encode(''));
  // So does a thread's first picture.
  const threads = Array.from({ length: options.threads }, () => frontEnd.prepare(ONE_PIXEL()));
  await Promise.all(threads);
  return {
    call: (method, input, { signal }) => call(model, { method, input }, signal),
    async close() {
      await frontEnd.close();
      await encoders.close();
    },
  };
}

function encodersStart(
  directory: string,
  { graphs, threads }: ClipLoadOptions,
  { exported, preprocessing }: ConvertedClip,
): EncodersStart {
  if (exported === undefined) return { kind: 'own', graphs, threads };
  const { imageGraph, textGraph } = exported;
  return {
    kind: 'exported',
    imageGraph: join(directory, imageGraph),
    textGraph: join(directory, textGraph),
    preprocessing,
    threads,
  };
}

/** The first run of a graph takes memory and times as long as any other: not at the cost of the first request. */
async function warmUp(
  encoders: ClipEncoders,
  { preprocessing }: ConvertedClip,
  text: Parameters<ClipEncoders['encodeTexts']>[0][number],
): Promise<void> {
  const { width, height } = preprocessing.crop;
  await encoders.encodeImages([new Uint8Array(width * height * 3)]);
  await encoders.encodeTexts([text]);
}

async function call(
  model: ClipModel,
  { method, input }: { readonly method: string; readonly input: unknown },
  signal: AbortSignal,
): Promise<unknown> {
  switch (method) {
    case 'classify':
      return classify(model, input as ClassifyInput, signal);
    case 'embedImages':
      return {
        embeddings: await model.embedImages(input as Named<Uint8Array>[], signal),
      } satisfies EmbeddedImages;
    case 'embedTexts':
      return embedTexts(model, input as Named<string>[], signal);
    default:
      throw new Error(`A CLIP model has no method ${method}.`);
  }
}

async function classify(model: ClipModel, input: ClassifyInput, signal: AbortSignal): Promise<Classified> {
  const { labels, templates, topK, threshold } = input;
  const { described } = model;
  const prompts = labels.flatMap((label) => promptsOf(label, templates));
  const [images, { texts, hits, misses }] = await Promise.all([
    model.embedImages(input.images, signal),
    model.embedTexts(prompts, signal),
  ]);
  const embeddings = averagePrompts(
    texts.map(({ embedding }) => embedding),
    templates.length || 1,
  );
  const names = labels.map(({ value }) => value);
  const options = {
    logitScale: input.logitScale ?? described.logitScale,
    logitBias: described.logitBias,
    topK,
    threshold,
  };
  const rankings = images.map((image) =>
    rankLabels(
      names,
      embeddings.map((text) => cosine(image, text)),
      options,
    ),
  );
  return { rankings, texts: { hits, misses } };
}

async function embedTexts(
  model: ClipModel,
  input: readonly Named<string>[],
  signal: AbortSignal,
): Promise<EmbeddedTextList> {
  const { texts, hits, misses } = await model.embedTexts(input, signal);
  return {
    embeddings: texts.map(({ embedding }) => embedding),
    tokens: texts.reduce((sum, { tokens }) => sum + tokens, 0),
    texts: { hits, misses },
  };
}
