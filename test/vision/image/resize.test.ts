import assert from 'node:assert/strict';
import test from 'node:test';
import { coefficientsOf, PRECISION_BITS } from '../../../src/vision/image/coefficients.ts';
import { type Axis, geometryOf } from '../../../src/vision/image/geometry.ts';
import type { Picture } from '../../../src/vision/image/picture.ts';
import { clipPreprocessing, type Preprocessing } from '../../../src/vision/image/preprocessing.ts';
import { createResizer } from '../../../src/vision/image/resize.ts';
import { noise } from '../../support/noise.ts';

function noisePicture(width: number, height: number): Picture {
  const values = noise(width * height * 3, width * 31 + height);
  // Beyond both ends of the range, so that much is black or white and the filters overshoot.
  const data = Uint8Array.from(values, (value) => Math.max(0, Math.min(255, Math.round(127 + value * 200))));
  return { width, height, data };
}

/** The formula, as plainly as it can be said. */
function plainly(picture: Picture, preprocessing: Preprocessing): Uint8Array {
  const { horizontal, vertical } = geometryOf(picture, preprocessing);
  const { crop, resample } = preprocessing;
  const weigh = (axis: Axis, index: number, valueAt: (place: number) => number) => {
    if (axis.from === axis.to) return valueAt(axis.first + index);
    const { firsts, lengths, weights, stride } = coefficientsOf(axis, resample);
    let sum = 2 ** (PRECISION_BITS - 1);
    for (let place = 0; place < lengths[index]!; place += 1) {
      sum += weights[index * stride + place]! * valueAt(firsts[index]! + place);
    }
    return Math.max(0, Math.min(255, Math.floor(sum / 2 ** PRECISION_BITS)));
  };
  const output = new Uint8Array(crop.width * crop.height * 3);
  for (let y = 0; y < vertical.count; y += 1) {
    for (let x = 0; x < horizontal.count; x += 1) {
      for (let channel = 0; channel < 3; channel += 1) {
        const pixel = (column: number, row: number) =>
          picture.data[(row * picture.width + column) * 3 + channel]!;
        const at = ((y + vertical.padding) * crop.width + x + horizontal.padding) * 3 + channel;
        output[at] = weigh(vertical, y, (row) => weigh(horizontal, x, (column) => pixel(column, row)));
      }
    }
  }
  return output;
}

const crop = { width: 9, height: 7, centre: 'floor' } as const;
const RULES: Readonly<Record<string, Preprocessing>> = {
  'the shortest edge and a crop': { ...clipPreprocessing(8), resize: { shortestEdge: 9 }, crop },
  'squeezed, bilinear': { ...clipPreprocessing(8), resize: crop, crop, resample: 'bilinear' },
  'a crop with zeros around': { ...clipPreprocessing(8), resize: { shortestEdge: 5 }, crop },
  'a crop alone': { ...clipPreprocessing(8), resize: 'none', crop },
};

for (const [rule, preprocessing] of Object.entries(RULES)) {
  test(`the vectors say what the formula says: ${rule}`, () => {
    const resizer = createResizer(preprocessing);
    const shapes = [
      [1, 1],
      [1, 40],
      [40, 1],
      [2, 3],
      [9, 7],
      [9, 20],
      [30, 7],
      [16, 16],
      [33, 21],
      [61, 47],
    ] as const;
    for (const [width, height] of shapes) {
      const picture = noisePicture(width, height);
      const found = resizer.resizeAndCrop(picture);
      assert.deepEqual(found, plainly(picture, preprocessing), `${width} x ${height}`);
    }
  });
}

test('one colour stays that colour, whatever the shape', () => {
  const resizer = createResizer(clipPreprocessing(32));
  for (const [width, height] of [
    [1, 1],
    [1, 5000],
    [5000, 1],
    [300, 200],
    [31, 33],
  ] as const) {
    const data = Uint8Array.from({ length: width * height * 3 }, (_, at) => [255, 1, 128][at % 3]!);
    const crop = resizer.resizeAndCrop({ width, height, data });
    assert.ok(
      crop.every((value, at) => value === [255, 1, 128][at % 3]),
      `${width} x ${height}`,
    );
  }
});

test('a picture is not remembered: a small one behind a large one is as if it came first', () => {
  const resizer = createResizer(clipPreprocessing(16));
  const small = noisePicture(20, 18);
  const first = resizer.resizeAndCrop(small);
  resizer.resizeAndCrop(noisePicture(900, 700));
  assert.deepEqual(resizer.resizeAndCrop(small), first);
});

test('margins that differ by a pixel are cut as transformers or as torchvision does', () => {
  const firstOf = (centre: 'floor' | 'even', width: number) => {
    const preprocessing: Preprocessing = {
      ...clipPreprocessing(8),
      resize: 'none',
      crop: { width: 8, height: 8, centre },
    };
    return geometryOf({ width, height: 8 }, preprocessing).horizontal.first;
  };
  assert.deepEqual(
    [8, 9, 10, 11, 12, 13].map((width) => firstOf('floor', width)),
    [0, 0, 1, 1, 2, 2],
  );
  // Python's round(0.5), round(1.5) and round(2.5).
  assert.deepEqual(
    [8, 9, 10, 11, 12, 13].map((width) => firstOf('even', width)),
    [0, 0, 1, 2, 2, 2],
  );
});
