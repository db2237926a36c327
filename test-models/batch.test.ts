/** A window's result does not depend on the windows that share its batch. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { DecodeOutput } from '../src/backends/contract.ts';
import { convertWhisper, readConverted } from '../src/speech/whisper/convert.ts';
import { createMelFrontEnd } from '../src/speech/whisper/mel.ts';
import { openOnnxWhisper } from '../src/speech/whisper/onnx-backend.ts';
import { temporaryFolder } from '../test/support/temporary.ts';
import { openApp } from './support/home.ts';
import { samplesOf } from './support/recordings.ts';
import { librivox, missingWeights } from './support/weights.ts';

const MODEL = 'whisper-tiny.en';
const FRAMES = 1472;
const skip = await missingWeights(`${MODEL}-int8`);

test('logits of a window are the same alone and beside others', { skip }, async (t) => {
  const app = openApp();
  const { directory } = await app.store.require(MODEL);
  await app.close({ timeoutMs: 0 });
  const graphs = await temporaryFolder(t);
  await convertWhisper(directory, graphs, 'int8');
  const converted = readConverted(graphs);
  const { sizes, tokens } = converted;
  const backend = await openOnnxWhisper(graphs, converted, 2);
  const frontEnd = createMelFrontEnd(sizes.melBins);
  const recordings = (await librivox()).slice(0, 3);
  const mels = await Promise.all(
    recordings.map(async ({ path }, place) =>
      frontEnd.features(await samplesOf(path), FRAMES - 300 * (place + 1)),
    ),
  );

  /** Logits after the prompt and after each of three steps, of the first window. */
  const run = async (windows: readonly Float32Array[]): Promise<Float32Array[]> => {
    const audio = await backend.encode(
      windows.map((mel) => mel.slice()),
      FRAMES,
    );
    const all: Float32Array[] = [];
    let output: DecodeOutput | undefined;
    for (const [step, next] of [tokens.startOfTranscript, tokens.firstTimestamp, 400, 2221].entries()) {
      // The other windows say something else, so that their activations differ; from the second step on they have more rows.
      const beams = windows.map((_, window) => (step === 0 ? 1 : 1 + window));
      const said = beams.flatMap((rows, window) =>
        Array.from({ length: rows }, (_, row) => [window === 0 ? next : next - step * window - row]),
      );
      const rows = beams.flatMap((count, window) => Array.from({ length: count }, () => window));
      const state = step === 1 ? backend.selectRows(output!.state, rows) : output?.state;
      const options = {
        audio,
        state,
        tokens: said,
        beams,
        select: [0],
        candidates: 1,
        withLogits: true,
      };
      output = await backend.decode(options);
      all.push(Float32Array.from(output.logits!.subarray(0, sizes.vocabulary)));
    }
    return all;
  };
  const alone = await run([mels[0]!]);
  const together = await run(mels);
  alone.forEach((logits, step) => {
    const difference = logits.reduce(
      (most, logit, id) => Math.max(most, Math.abs(logit - together[step]![id]!)),
      0,
    );
    // The last product may sum in another order; everything before it is equal to the bit.
    assert.ok(difference < 1e-4, `step ${step}: logits differ by ${difference}`);
  });
  await backend.close();
});
