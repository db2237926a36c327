import assert from 'node:assert/strict';
import test from 'node:test';
import sharp from 'sharp';
import type { AppError } from '../../../src/base/errors.ts';
import { restrictLibvips } from '../../../src/vision/image/libvips.ts';
import { DEFAULT_LIMITS, decodePicture, type PictureLimits } from '../../../src/vision/image/picture.ts';
import { noise } from '../../support/noise.ts';
import { gifOf, picture, pngOf } from '../../support/pictures.ts';

const REMEDY = /JPEG, PNG, WebP, GIF, AVIF or TIFF/;

async function refusal(bytes: Uint8Array, limits: PictureLimits = DEFAULT_LIMITS): Promise<AppError> {
  const outcome = await decodePicture(bytes, limits).then(
    ({ width, height }) => assert.fail(`it was read as ${width} x ${height}`),
    (error: AppError) => error,
  );
  return outcome;
}

async function refusesImage(bytes: Uint8Array, message: RegExp): Promise<void> {
  const error = await refusal(bytes);
  assert.equal(error.code, 'unsupported_image');
  assert.match(error.message, message);
  assert.match(error.message, REMEDY);
}

const random = Uint8Array.from(noise(5000, 3), (value) => (value + 1) * 127);
const boxed = (brands: string) => `\0\0\0${String.fromCharCode(8 + brands.length)}ftyp${brands}`;
const OTHERS: readonly (readonly [string, string, RegExp])[] = [
  ['nothing at all', '', /empty: 0 bytes/],
  [
    'an SVG with a link',
    '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    /an SVG/,
  ],
  ['an SVG behind a prologue', `<?xml version="1.0"?><!-- ${'x'.repeat(800)} --><svg width="1">`, /an SVG/],
  ['an SVG behind a byte order mark', '\xef\xbb\xbf\n <svg>', /an SVG/],
  ['a page', '<!DOCTYPE html><html><body>404</body></html>', /an HTML page/],
  ['XML', '<?xml version="1.0"?><rss/>', /an XML document/],
  ['JSON', '{"error": "not found"}', /JSON/],
  ['text', 'Not a picture, said the gateway.', /text/],
  ['a PDF', '%PDF-1.7\n%\xe2\xe3', /a PDF/],
  ['a BMP', 'BM\x36\0\0\0\0\0\0\0\x36\0\0\0', /a BMP/],
  ['a HEIC', boxed('heic\0\0\0\0mif1heic'), /a HEIC/],
  ['a HEIC by its second brand', boxed('mif1\0\0\0\0mif1heix'), /a HEIC/],
  ['an MP4', boxed('isom\0\0\x02\0isomiso2avc1mp41'), /a video/],
  ['a Matroska', '\x1a\x45\xdf\xa3\x9f\x42\x86', /video/],
  ['an AVI', 'RIFF\x24\0\0\0AVI LIST', /an AVI/],
  ['a WAVE', 'RIFF\x24\0\0\0WAVEfmt ', /a recording/],
  ['an archive', 'PK\x03\x04\x14\0', /an archive/],
  ['a raw picture', 'II*\0\x10\0\0\0CR\x02\0', /a Canon raw/],
  ['a JPEG XL', '\0\0\0\x0cJXL \r\n\x87\n', /a JPEG XL/],
  ['a JPEG 2000', '\0\0\0\x0cjP  \r\n\x87\n', /a JPEG 2000/],
  ['an icon', '\0\0\x01\0\x01\0\x10\x10', /an icon/],
];

for (const [what, content, message] of OTHERS) {
  test(`${what} is refused by its name`, () => refusesImage(Buffer.from(content, 'latin1'), message));
}

test('behind the names stands a second fence: libvips itself reads no SVG any more', async () => {
  restrictLibvips();
  await decodePicture(picture('rgb.png'), DEFAULT_LIMITS);
  const drawing = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>');
  await assert.rejects(sharp(drawing).metadata(), /unsupported image format/);
});

test('random bytes are no picture', () => refusesImage(random, /no picture that is known/));

test('random bytes behind the beginning of a picture are damage', async () => {
  for (const start of [
    '\xff\xd8\xff',
    '\x89PNG\r\n\x1a\n',
    'GIF89a',
    'II*\0',
    boxed('avif\0\0\0\0avifmif1'),
  ]) {
    await refusesImage(Buffer.concat([Buffer.from(start, 'latin1'), random]), /damaged or incomplete/);
  }
});

test('a picture that breaks off is refused wherever it does, never filled with grey', async () => {
  const names = [
    'baseline-420.jpg',
    'progressive.jpg',
    'rgb.png',
    'interlaced.png',
    'lossy.webp',
    '444.avif',
    'deflated.tif',
  ];
  for (const name of names) {
    const whole = picture(name);
    for (const share of [0.02, 0.3, 0.5, 0.9, 0.99]) {
      await refusesImage(
        whole.subarray(0, Math.max(12, whole.length * share)),
        /damaged or incomplete|no picture/,
      );
    }
  }
});

test('a PNG with a broken chunk is refused', async () => {
  const broken = Buffer.from(picture('rgb.png'));
  broken[broken.length >> 1]! ^= 0xff;
  await refusesImage(broken, /damaged or incomplete/);
});

test('a PNG with fewer rows than it says is refused', () =>
  refusesImage(pngOf({ width: 20, height: 20 }, new Uint8Array(61 * 10)), /damaged or incomplete/));

test('a bomb is refused by its header', async () => {
  const begun = performance.now();
  const error = await refusal(pngOf({ width: 50_000, height: 50_000 }, new Uint8Array(1e6)));
  assert.equal(error.code, 'image_too_large');
  assert.match(error.message, /50000 x 50000.*at most 100000000/);
  assert.ok(performance.now() - begun < 1000, 'nothing was decoded');
});

test('an edge may not be endless, however few the pixels', async () => {
  const error = await refusal(pngOf({ width: 70_000, height: 1 }, new Uint8Array(210_001)));
  assert.equal(error.code, 'image_too_large');
  assert.match(error.message, /at most 65535/);
});

test('the limit of pixels is the picture itself, not one less', async () => {
  const bytes = pngOf({ width: 20, height: 10 }, new Uint8Array(61 * 10));
  const limits = { ...DEFAULT_LIMITS, maxPixels: 200 };
  assert.equal((await decodePicture(bytes, limits)).data.length, 600);
  assert.equal((await refusal(bytes, { ...limits, maxPixels: 199 })).code, 'image_too_large');
});

test('an animation of 100,000 frames is refused, one of 1000 is read', async () => {
  const error = await refusal(gifOf(100_000));
  assert.equal(error.code, 'image_too_large');
  assert.match(error.message, /100000 frames; at most 1000.*first/);
  const { width, height } = await decodePicture(gifOf(1000), DEFAULT_LIMITS);
  assert.deepEqual([width, height], [10, 10]);
});

test('what a file is called does not count: a view into other bytes is read as what it is', async () => {
  const bytes = picture('rgb.png');
  const shifted = Buffer.concat([Buffer.alloc(7), bytes]).subarray(7);
  assert.deepEqual(await decodePicture(shifted, DEFAULT_LIMITS), await decodePicture(bytes, DEFAULT_LIMITS));
});

test('an aborted signal starts nothing', async () => {
  const decoding = decodePicture(picture('rgb.png'), DEFAULT_LIMITS, AbortSignal.abort());
  await assert.rejects(decoding, { code: 'cancelled' });
});
