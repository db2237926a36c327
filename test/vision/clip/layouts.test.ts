import assert from 'node:assert/strict';
import test from 'node:test';
import { AppError } from '../../../src/base/errors.ts';
import { readConvertedClip } from '../../../src/vision/clip/convert.ts';
import { type EncodersStart, startEncoders } from '../../../src/vision/clip/encoder-thread.ts';
import { rowsOf } from '../../../src/vision/clip/text-embedder.ts';
import {
  type EncodedText,
  openTextTokenizer,
  type TextTokenizer,
} from '../../../src/vision/clip/tokenizer.ts';
import { cosine, rankLabels } from '../../../src/vision/ranking.ts';
import { clipCheckpoint, convertedClip, LAYOUTS, type Layout, readGolden } from '../../support/clip.ts';

/** Least cosine to the reference. */
const LEAST = { float32: 0.999999, int8: 0.995 } as const;

async function openEncoders(context: test.TestContext, layout: Layout, compute: 'int8' | 'float32') {
  const source = await clipCheckpoint(context, layout);
  const graphs = await convertedClip(context, source, compute);
  const described = readConvertedClip(graphs);
  const { exported, preprocessing } = described;
  const start: EncodersStart =
    exported === undefined
      ? { kind: 'own', graphs, threads: 2 }
      : {
          kind: 'exported',
          imageGraph: `${source}/${exported.imageGraph}`,
          textGraph: `${source}/${exported.textGraph}`,
          preprocessing,
          threads: 2,
        };
  const encoders = await startEncoders(start);
  context.after(() => encoders.close());
  const images = async (pictures: readonly Uint8Array<ArrayBuffer>[]) =>
    rowsOf(await encoders.encodeImages(pictures.map((picture) => picture.slice())), described.dimension);
  const texts = async (encoded: readonly EncodedText[]) =>
    rowsOf(await encoders.encodeTexts(encoded), described.dimension);
  return { images, texts, described, tokenizer: openTextTokenizer(source, described) };
}

/** The reference cuts what is too long, and says so nowhere; here it is refused, so that its numbers are taken as they are. */
function encodeAsReference(
  tokenizer: TextTokenizer,
  { text, ids }: { readonly text: string; readonly ids: readonly number[] },
): EncodedText {
  try {
    const encoded = tokenizer.encode(text);
    assert.deepEqual(encoded.ids, ids);
    return encoded;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const [, count, most] = /has (\d+) tokens .* at most (\d+)/.exec(error.message)!;
    assert.ok(Number(count) > Number(most));
    return { ids, end: ids.length - 1, length: ids.length };
  }
}

for (const layout of LAYOUTS) {
  for (const compute of ['float32', 'int8'] as const) {
    test(`${layout} at ${compute}: embeddings and scores are the reference's`, async (context) => {
      const golden = await readGolden(layout);
      const { images, texts, described, tokenizer } = await openEncoders(context, layout, compute);
      const encoded = golden.texts.map((text) => encodeAsReference(tokenizer, text));
      const pictures = await images(golden.pictures.map(({ pixels }) => pixels));
      const written = await texts(encoded);
      const least = Math.min(
        ...pictures.map((row, index) => cosine(row, golden.pictures[index]!.embedding)),
        ...written.map((row, index) => cosine(row, golden.texts[index]!.embedding)),
      );
      assert.ok(least >= LEAST[compute], `least cosine ${least}`);

      if (compute === 'int8') return;
      // Graphs alone do not tell the scale.
      const logitScale = layout === 'exported' ? golden.logitScale : described.logitScale;
      const options = { logitScale, logitBias: described.logitBias, topK: 1000, threshold: 0 };
      const names = golden.texts.map((_, index) => String(index));
      for (const [row, picture] of pictures.entries()) {
        const cosines = written.map((text) => cosine(picture, text));
        for (const { text, score } of rankLabels(names, cosines, options)) {
          const place = row * names.length + Number(text);
          const logit = logitScale * cosines[Number(text)]! + (described.logitBias ?? 0);
          assert.ok(Math.abs(logit - golden.logits[place]!) < 1e-3);
          assert.ok(Math.abs(score - golden.scores[place]!) < 1e-3);
        }
      }
    });

    if (layout === 'exported') continue;
    test(`${layout} at ${compute}: what else is in a batch changes no bit`, async (context) => {
      const golden = await readGolden(layout);
      const { images, texts, tokenizer } = await openEncoders(context, layout, compute);
      const pixels = golden.pictures.map((picture) => picture.pixels);
      const encoded = golden.texts.map((text) => encodeAsReference(tokenizer, text));
      const together = [...(await images(pixels)), ...(await texts(encoded))];
      const alone = [];
      for (const picture of pixels) alone.push(...(await images([picture])));
      for (const text of encoded) alone.push(...(await texts([text])));
      assert.deepEqual(alone, together);
    });
  }
}
