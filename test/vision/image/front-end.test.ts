import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { type ImageFrontEnd, openImageFrontEnd } from '../../../src/vision/image/front-end.ts';
import { DEFAULT_LIMITS, decodePicture } from '../../../src/vision/image/picture.ts';
import { clipPreprocessing } from '../../../src/vision/image/preprocessing.ts';
import { createResizer } from '../../../src/vision/image/resize.ts';
import { picture, pngOf } from '../../support/pictures.ts';

const preprocessing = clipPreprocessing(64);

function open(context: TestContext, workers = 1): ImageFrontEnd {
  const frontEnd = openImageFrontEnd({ preprocessing, limits: DEFAULT_LIMITS, resize: 'exact', workers });
  context.after(() => frontEnd.close());
  return frontEnd;
}

/** Bytes of its own, as they come from a request. */
const sent = (name: string) => new Uint8Array(picture(name));
/** 25 megapixels: long enough for something to happen meanwhile. */
const large = () => new Uint8Array(pngOf({ width: 5000, height: 5000 }, new Uint8Array(15_001 * 5000)));

test('pictures come back in the order of their answers, each its own', async (context) => {
  const frontEnd = open(context, 2);
  const names = ['rgb.png', 'cmyk.jpg', 'animated.gif', 'exif-6.jpg', '1x1.png', 'lossy.webp'];
  const found = await Promise.all(names.map((name) => frontEnd.prepare(sent(name))));
  const resizer = createResizer(preprocessing);
  for (const [index, name] of names.entries()) {
    const expected = resizer.resizeAndCrop(await decodePicture(picture(name), DEFAULT_LIMITS));
    assert.deepEqual(found[index], expected, name);
  }
});

// A thread that set libvips up for itself once kept the others from reading meanwhile.
test('threads that begin while others decode do not disturb them', async (context) => {
  for (let round = 0; round < 3; round += 1) {
    const frontEnd = open(context, 8);
    await Promise.all(Array.from({ length: 200 }, () => frontEnd.prepare(sent('rgb.png'))));
  }
});

test('bytes that fill their memory are moved, a part of other bytes is copied', async (context) => {
  const frontEnd = open(context);
  const whole = sent('rgb.png');
  const around = new Uint8Array(whole.length + 20);
  around.set(whole, 10);
  const part = around.subarray(10, 10 + whole.length);
  const [moved, copied] = await Promise.all([frontEnd.prepare(whole), frontEnd.prepare(part)]);
  assert.deepEqual(moved, copied);
  assert.equal(whole.length, 0);
  assert.deepEqual(part, sent('rgb.png'));
});

test('a refused picture fails alone, with its own error', async (context) => {
  const frontEnd = open(context);
  const [bad, good] = await Promise.allSettled([
    frontEnd.prepare(new TextEncoder().encode('<svg/>')),
    frontEnd.prepare(sent('rgb.png')),
  ]);
  assert.equal(bad.status === 'rejected' && bad.reason.code, 'unsupported_image');
  assert.equal(good.status, 'fulfilled');
});

test('who goes away while waiting is never served, and keeps the bytes', async (context) => {
  const frontEnd = open(context);
  const controller = new AbortController();
  const first = frontEnd.prepare(large());
  const bytes = sent('rgb.png');
  const second = frontEnd.prepare(bytes, controller.signal);
  const third = frontEnd.prepare(sent('grey.png'));
  controller.abort();
  await assert.rejects(second, { code: 'cancelled' });
  await Promise.all([first, third]);
  assert.ok(bytes.length > 0, 'they were never handed to a thread');
});

test('who goes away during the work is answered at once, and the next one is served', async (context) => {
  const frontEnd = open(context);
  await frontEnd.prepare(sent('rgb.png'));
  const controller = new AbortController();
  const first = frontEnd.prepare(large(), controller.signal);
  controller.abort();
  await assert.rejects(first, { code: 'cancelled' });
  assert.equal((await frontEnd.prepare(sent('rgb.png'))).length, 64 * 64 * 3);
});

test('a signal that has fired already sends nothing to a thread', async (context) => {
  const bytes = sent('rgb.png');
  await assert.rejects(open(context).prepare(bytes, AbortSignal.abort()), { code: 'cancelled' });
  assert.ok(bytes.length > 0);
});

test('closing fails what is under way and what waits, and what comes later', async (context) => {
  const frontEnd = open(context);
  const pending = [frontEnd.prepare(large()), frontEnd.prepare(sent('rgb.png'))];
  const outcomes = Promise.allSettled(pending);
  await frontEnd.close();
  for (const outcome of await outcomes) {
    assert.equal(outcome.status === 'rejected' && outcome.reason.code, 'shutting_down');
  }
  await assert.rejects(frontEnd.prepare(sent('rgb.png')), { code: 'shutting_down' });
});

test('a thread that ends fails its picture with an error, and the next picture gets a new one', async (context) => {
  // A scale that no thread can compute with, so that each one ends: it is a fault of ours, not of the picture.
  const broken = { ...preprocessing, resize: null } as unknown as typeof preprocessing;
  const frontEnd = openImageFrontEnd({
    preprocessing: broken,
    limits: DEFAULT_LIMITS,
    resize: 'exact',
    workers: 1,
  });
  context.after(() => frontEnd.close());
  for (let turn = 0; turn < 2; turn += 1) {
    await assert.rejects(frontEnd.prepare(sent('rgb.png')), { code: 'model_crashed' });
  }
});

test('the fast way is close to the exact one for large pictures, and the same for others', async (context) => {
  const exact = open(context);
  const fast = openImageFrontEnd({ preprocessing, limits: DEFAULT_LIMITS, resize: 'fast', workers: 1 });
  context.after(() => fast.close());
  const differences = async (name: string) => {
    const [one, other] = await Promise.all([exact.prepare(sent(name)), fast.prepare(sent(name))]);
    assert.equal(one.length, other.length);
    return [...one].map((value, at) => Math.abs(value - other[at]!));
  };
  // 300 x 225; sharp rounds between its steps otherwise.
  const large = await differences('baseline-420.jpg');
  assert.ok(large.reduce((sum, one) => sum + one, 0) / large.length < 0.5);
  assert.ok(Math.max(...large) > 0, 'it is another filter');
  for (const name of [
    'rgb.png',
    'cmyk.jpg',
    'exif-6.jpg',
    'rgba.png',
    '7x10.png',
    '1x5000.png',
    'rgb-16.png',
  ]) {
    assert.equal(Math.max(...(await differences(name))), 0, name);
  }
});
