import assert from 'node:assert/strict';
import test from 'node:test';
import { clipPreprocessing, readPreprocessing } from '../../../src/vision/image/preprocessing.ts';

const OPENAI = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

test('the old and the new file of the same CLIP say the same', () => {
  const common = {
    image_mean: OPENAI.mean,
    image_std: OPENAI.std,
    resample: 3,
    do_resize: true,
    do_normalize: true,
  };
  const old = {
    ...common,
    crop_size: 336,
    size: 336,
    do_center_crop: true,
    feature_extractor_type: 'CLIPFeatureExtractor',
  };
  const recent = {
    ...common,
    crop_size: { height: 336, width: 336 },
    size: { shortest_edge: 336 },
    do_rescale: true,
    rescale_factor: 0.00392156862745098,
    image_processor_type: 'CLIPImageProcessor',
  };
  assert.deepEqual(readPreprocessing(old), clipPreprocessing(336));
  assert.deepEqual(readPreprocessing(recent), clipPreprocessing(336));
});

test("a file that says nothing is OpenAI's", () => {
  assert.deepEqual(readPreprocessing({}), clipPreprocessing(224));
});

test('SigLIP squeezes a picture to its size', () => {
  const siglip = readPreprocessing({
    image_processor_type: 'SiglipImageProcessor',
    do_convert_rgb: null,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
    resample: 2,
    size: { height: 256, width: 384 },
  });
  assert.deepEqual(siglip.resize, { width: 384, height: 256 });
  assert.deepEqual(siglip.crop, { width: 384, height: 256, centre: 'floor' });
  assert.equal(siglip.resample, 'bilinear');
});

test('an exact size without a crop is one of CLIP too', () => {
  const { resize, crop } = readPreprocessing({ size: { height: 32, width: 48 }, do_center_crop: false });
  assert.deepEqual(resize, { width: 48, height: 32 });
  assert.deepEqual(crop, { width: 48, height: 32, centre: 'floor' });
});

test('values that are not normalised keep their range', () => {
  const { mean, std } = readPreprocessing({
    do_normalize: false,
    image_mean: [1, 1, 1],
    image_std: [2, 2, 2],
  });
  assert.deepEqual({ mean, std }, { mean: [0, 0, 0], std: [1, 1, 1] });
});

test('open_clip crops where torchvision does', () => {
  const read = readPreprocessing({
    model_cfg: { embed_dim: 512, vision_cfg: { image_size: 240, layers: 12 } },
    preprocess_cfg: OPENAI,
  });
  assert.deepEqual(read, { ...clipPreprocessing(240), crop: { width: 240, height: 240, centre: 'even' } });
});

test("open_clip's squash and size are height before width", () => {
  const { resize, resample, mean } = readPreprocessing({
    preprocess_cfg: {
      size: [256, 384],
      resize_mode: 'squash',
      interpolation: 'bilinear',
      mean: [0.5, 0.5, 0.5],
    },
  });
  assert.deepEqual(resize, { width: 384, height: 256 });
  assert.equal(resample, 'bilinear');
  assert.deepEqual(mean, [0.5, 0.5, 0.5]);
});

const REFUSED: readonly (readonly [string, unknown])[] = [
  ['resample', { resample: 1 }],
  ['do_rescale', { do_rescale: false }],
  ['rescale_factor', { rescale_factor: 0.5 }],
  ['do_center_crop', { do_center_crop: false }],
  ['size', { size: { longest_edge: 224 } }],
  ['size', { size: { shortest_edge: 224, longest_edge: 400 } }],
  ['size', { size: 1e9 }],
  ['image_std.1', { image_std: [0.5, 0, 0.5] }],
  ['image_mean', { image_mean: [0.5] }],
  ['image_processor_type', { image_processor_type: 'Siglip2ImageProcessor' }],
  ['size', { image_processor_type: 'SiglipImageProcessor', size: { shortest_edge: 224 } }],
  ['preprocess_cfg.resize_mode', { preprocess_cfg: { resize_mode: 'longest' } }],
  ['preprocess_cfg.interpolation', { preprocess_cfg: { interpolation: 'random' } }],
  ['preprocess_cfg.size', { preprocess_cfg: { size: [224, 336] } }],
  ['the whole', 'no object'],
];

for (const [key, json] of REFUSED) {
  test(`${JSON.stringify(json)} cannot be run, because of ${key}`, () => {
    assert.throws(
      () => readPreprocessing(json),
      (error: { code?: string; message: string }) =>
        error.code === 'unsupported_model' && error.message.includes(`run: ${key}:`),
    );
  });
}
