/** The pictures of test/fixtures/images/ beside what Pillow and transformers make of them (test-models/golden-images.py). */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { DEFAULT_LIMITS, decodePicture } from '../../../src/vision/image/picture.ts';
import { readPreprocessing } from '../../../src/vision/image/preprocessing.ts';
import { createResizer } from '../../../src/vision/image/resize.ts';
import { picture } from '../../support/pictures.ts';

interface Golden {
  readonly width: number;
  readonly height: number;
  readonly sha256: Readonly<Record<string, string>>;
  readonly middle: readonly number[];
  /** The crop `small` in base64, where decoders differ. */
  readonly small?: string;
}

const golden = JSON.parse(picture('golden.json').toString()) as Record<string, Golden>;
const PREPROCESSINGS = {
  clip: readPreprocessing({}),
  siglip: readPreprocessing({
    image_processor_type: 'SiglipImageProcessor',
    size: { height: 48, width: 64 },
    resample: 2,
  }),
  odd: readPreprocessing({ size: 33, crop_size: { height: 20, width: 21 }, resample: 2 }),
  padded: readPreprocessing({ size: { shortest_edge: 40 }, crop_size: { height: 51, width: 64 } }),
  cut: readPreprocessing({ do_resize: false, crop_size: { height: 31, width: 40 } }),
  small: readPreprocessing({ size: 32, crop_size: 32 }),
};

for (const [name, expected] of Object.entries(golden)) {
  test(`${name} becomes what Pillow makes of it`, async () => {
    const decoded = await decodePicture(picture(name), DEFAULT_LIMITS);
    const { width, height } = decoded;
    assert.deepEqual({ width, height }, { width: expected.width, height: expected.height });
    if (expected.small !== undefined) {
      assertClose(
        createResizer(PREPROCESSINGS.small).resizeAndCrop(decoded),
        Buffer.from(expected.small, 'base64'),
      );
      return;
    }
    for (const [key, preprocessing] of Object.entries(PREPROCESSINGS)) {
      const crop = createResizer(preprocessing).resizeAndCrop(decoded);
      const middle = (112 * 224 + 112) * 3;
      if (key === 'clip') assert.deepEqual([...crop.subarray(middle, middle + 3)], expected.middle);
      assert.equal(createHash('sha256').update(crop).digest('hex'), expected.sha256[key], key);
    }
  });
}

/** libheif and libavif turn colours to RGB with roundings of their own. */
function assertClose(found: Uint8Array, expected: Uint8Array): void {
  const differences = [...found].map((value, at) => Math.abs(value - expected[at]!));
  assert.ok(Math.max(...differences) <= 2, `differs by ${Math.max(...differences)}`);
}
