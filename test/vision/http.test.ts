import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import OpenAI from 'openai';
import type { RankedLabel } from '../../src/vision/ranking.ts';
import { eventually } from '../support/processes.ts';
import { type VisionUnderTest, visionService } from '../support/vision-service.ts';

const IMAGES = new URL('../../../test/fixtures/images/', import.meta.url);

async function dataUrl(name: string, type = 'image/png'): Promise<string> {
  return `data:${type};base64,${(await readFile(new URL(name, IMAGES))).toString('base64')}`;
}

function rankingOf(answer: { json: Readonly<Record<string, unknown>> }): RankedLabel[] {
  return answer.json['classifications'] as RankedLabel[];
}

test('a classification has the keys of the contract, in their order, and scores that sum to 1', async (t) => {
  const { post } = await visionService(t);
  const image = await dataUrl('baseline-420.jpg', 'image/jpeg');
  const prompts = ['a cat', 'a dog', 'a car'];
  const answer = await post('/v1/classify', { image, prompts, top_k: 3, threshold: 0.0 });
  assert.equal(answer.status, 200);
  assert.deepEqual(Object.keys(answer.json), ['classifications', 'inference_time_ms', 'model']);
  assert.equal(answer.json['model'], 'golden-int8');
  assert.ok(Number(answer.json['inference_time_ms']) > 0);
  const ranking = rankingOf(answer);
  assert.deepEqual(
    ranking.map((label) => Object.keys(label)),
    prompts.map(() => ['rank', 'score', 'text']),
  );
  assert.deepEqual(
    ranking.map(({ rank }) => rank),
    [1, 2, 3],
  );
  assert.deepEqual(ranking.map(({ text }) => text).sort(), [...prompts].sort());
  assert.ok(Math.abs(ranking.reduce((sum, { score }) => sum + score, 0) - 1) < 1e-9);
  assert.ok(ranking[0]!.score >= ranking[1]!.score && ranking[1]!.score >= ranking[2]!.score);
});

test('top_k, threshold, logit_scale and templates do what they say', async (t) => {
  const { post } = await visionService(t);
  const image = await dataUrl('rgb.png');
  const prompts = ['a cat', 'a dog', 'a car'];
  const ask = async (more: object) => rankingOf(await post('/v1/classify', { image, prompts, ...more }));
  const plain = await ask({});
  assert.equal(plain.length, 3);
  assert.deepEqual(await ask({ top_k: 1 }), plain.slice(0, 1));
  assert.deepEqual(await ask({ threshold: plain[1]!.score }), plain.slice(0, 2));
  assert.deepEqual(
    (await ask({ logit_scale: 0 })).map(({ score }) => score),
    [1 / 3, 1 / 3, 1 / 3],
  );
  assert.ok((await ask({ logit_scale: 10_000 }))[0]!.score > 0.999);
  assert.deepEqual(await ask({ templates: ['{}'] }), plain);
  const [of, ensemble] = [
    await ask({ templates: ['one of {}'] }),
    await ask({ templates: ['one of {}', '{}'] }),
  ];
  assert.notDeepEqual(of, plain);
  assert.notDeepEqual(ensemble, of);
});

test('many images in one request are answered as each alone', async (t) => {
  const { post } = await visionService(t);
  const images = [
    await dataUrl('rgb.png'),
    await dataUrl('grey.jpg', 'image/jpeg'),
    await dataUrl('1x1.png'),
  ];
  const prompts = ['a cat', 'a dog'];
  const together = await post('/v1/classify', { images, prompts });
  const alone = [];
  for (const image of images)
    alone.push({ classifications: rankingOf(await post('/v1/classify', { image, prompts })) });
  assert.deepEqual(together.json['results'], alone);

  const embedded = await post('/v1/embed/image', { image: images });
  const each = [];
  for (const image of images)
    each.push(...((await post('/v1/embed/image', { image })).json['embeddings'] as number[][]));
  assert.deepEqual(embedded.json['embeddings'], each);
  assert.equal(embedded.json['dimension'], 40);
  for (const row of each) assert.ok(Math.abs(Math.hypot(...row) - 1) < 1e-5);
});

test("OpenAI's SDK gets embeddings of texts and images, as numbers and as base64", async (t) => {
  const { url, post } = await visionService(t);
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
  const image = await dataUrl('rgb.png');
  const input = ['a cat', image, 'a dog'];
  const { data, model, usage } = await client.embeddings.create({ model: 'golden', input });
  assert.equal(model, 'golden-int8');
  assert.ok(usage.prompt_tokens > 4);
  const texts = (await post('/v1/embed/text', { texts: ['a cat', 'a dog'] })).json[
    'embeddings'
  ] as number[][];
  const [picture] = (await post('/v1/embed/image', { image })).json['embeddings'] as number[][];
  const expected = [texts[0]!, picture!, texts[1]!];
  for (const [index, { embedding }] of data.entries())
    assert.deepEqual(
      Array.from(Float32Array.from(embedding)),
      Array.from(Float32Array.from(expected[index]!)),
    );
  const floats = await client.embeddings.create({ model: 'golden', input, encoding_format: 'float' });
  assert.deepEqual(
    floats.data.map(({ embedding }) => embedding),
    expected,
  );
});

test('texts that were asked for before are remembered, and /metrics tells how many', async (t) => {
  const { url, post } = await visionService(t);
  for (const text of [
    ['a', 'b', 'a'],
    ['b', 'c'],
    ['a', 'b', 'c'],
  ])
    await post('/v1/embed/text', { text });
  const response = await fetch(`${url}/metrics`, { headers: { accept: 'application/json' } });
  const metrics = (await response.json()) as { text_embedding_hit_rate: number };
  // a and b anew; b remembered, c anew; all three remembered.
  assert.equal(metrics.text_embedding_hit_rate, 4 / 7);
});

test('models that see are listed, and one of them is told of', async (t) => {
  const { url } = await visionService(t);
  const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
  assert.ok(data.some(({ id }) => id === 'golden-int8'));
  const one = await fetch(`${url}/v1/models/golden`);
  assert.equal(((await one.json()) as { id: string }).id, 'golden-int8');
});

test('32 clients at once get what each would get alone', async (t) => {
  const { post } = await visionService(t);
  const names = ['rgb.png', 'grey.png', 'palette.png', '7x10.png'];
  const images = await Promise.all(names.map((name) => dataUrl(name)));
  const prompts = ['a cat', 'a dog', 'a car'];
  const alone = [];
  for (const image of images) alone.push(rankingOf(await post('/v1/classify', { image, prompts })));
  const answers = await Promise.all(
    Array.from({ length: 32 }, (_, index) => post('/v1/classify', { image: images[index % 4], prompts })),
  );
  for (const [index, answer] of answers.entries()) assert.deepEqual(rankingOf(answer), alone[index % 4]);
});

const PNG = 'data:image/png;base64,';

/** The body, the status, the code and the field of the error. */
const REFUSED: readonly (readonly [
  what: string,
  body: object,
  status: number,
  code: string,
  param: string | null,
])[] = [
  ['no image', { prompts: ['a'] }, 400, 'invalid_request', 'image'],
  ['an empty image', { image: '', prompts: ['a'] }, 400, 'invalid_request', 'image'],
  ['0 bytes', { image: PNG, prompts: ['a'] }, 415, 'unsupported_image', 'image'],
  ['an address', { image: 'https://example.com/a.png', prompts: ['a'] }, 400, 'invalid_request', 'image'],
  ['no base64', { image: 'data:image/png,abc', prompts: ['a'] }, 400, 'invalid_request', 'image'],
  ['broken base64', { image: `${PNG}####`, prompts: ['a'] }, 400, 'invalid_request', 'image'],
  ['base64 cut in a byte', { image: `${PNG}iVBOR`, prompts: ['a'] }, 400, 'invalid_request', 'image'],
  [
    'text as an image',
    { image: `${PNG}${btoa('hello there, friend')}`, prompts: ['a'] },
    415,
    'unsupported_image',
    'image',
  ],
  [
    'a media type that is none',
    { image: `data:text/html;base64,${btoa('<p>')}`, prompts: ['a'] },
    415,
    'unsupported_image',
    'image',
  ],
  [
    'SVG with a link',
    {
      image: `data:image/svg+xml;base64,${btoa('<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>')}`,
      prompts: ['a'],
    },
    415,
    'unsupported_image',
    'image',
  ],
  ['no prompts', { image: PNG, prompts: [] }, 400, 'invalid_request', 'prompts'],
  ['a prompt that is a number', { image: PNG, prompts: [1] }, 400, 'invalid_request', 'prompts[0]'],
  ['an unknown field', { image: PNG, prompts: ['a'], topk: 1 }, 400, 'invalid_request', 'topk'],
  ['top_k of 0', { image: PNG, prompts: ['a'], top_k: 0 }, 400, 'invalid_request', 'top_k'],
  ['a threshold over 1', { image: PNG, prompts: ['a'], threshold: 2 }, 400, 'invalid_request', 'threshold'],
  ['both image and images', { image: PNG, images: [PNG], prompts: ['a'] }, 400, 'invalid_request', 'images'],
];

test('what cannot be answered is refused, naming the field; the service goes on', async (t) => {
  const { post } = await visionService(t);
  for (const [what, body, status, code, param] of REFUSED) {
    const answer = await post('/v1/classify', body);
    assert.deepEqual(
      [answer.status, answer.json.error?.code, answer.json.error?.param],
      [status, code, param],
      `${what}: ${answer.json.error?.message}`,
    );
  }
  await refusedWithImage(post);
  const image = await dataUrl('rgb.png');
  assert.equal((await post('/v1/classify', { image, prompts: ['a'] })).status, 200);
});

async function refusedWithImage(post: VisionUnderTest['post']): Promise<void> {
  const image = await dataUrl('rgb.png');
  const long = await post('/v1/classify', { image, prompts: ['a', 'word '.repeat(30)] });
  assert.deepEqual(
    [long.status, long.json.error?.code, long.json.error?.param],
    [400, 'context_exceeded', 'prompts[1]'],
  );
  assert.match(long.json.error!.message, /has \d+ tokens .* at most 20/);
  const placeless = await post('/v1/classify', { image, prompts: ['a'], templates: ['a photo'] });
  assert.deepEqual([placeless.status, placeless.json.error?.param], [400, 'templates[0]']);
  const unknown = await post('/v1/classify', { image, prompts: ['a'], model: 'whisper-base' });
  assert.deepEqual([unknown.status, unknown.json.error?.code], [404, 'model_not_found']);
  const cut = `data:image/jpeg;base64,${(await readFile(new URL('baseline-420.jpg', IMAGES))).subarray(0, 700).toString('base64')}`;
  const broken = await post('/v1/embed/image', { images: [image, cut] });
  assert.deepEqual(
    [broken.status, broken.json.error?.code, broken.json.error?.param],
    [415, 'unsupported_image', 'images[1]'],
  );
  const dimensions = await post('/v1/embeddings', { model: 'golden', input: 'a', dimensions: 8 });
  assert.deepEqual([dimensions.status, dimensions.json.error?.param], [400, 'dimensions']);
  const tokens = await post('/v1/embeddings', { model: 'golden', input: [1, 2] });
  assert.deepEqual([tokens.status, tokens.json.error?.param], [400, 'input[0]']);
}

test('limits of images and texts are kept', async (t) => {
  const { post } = await visionService(t, {
    env: {
      PERCEPT_VISION_MAX_IMAGES: '2',
      PERCEPT_VISION_MAX_TEXTS: '3',
      PERCEPT_VISION_MAX_IMAGE_BYTES: '2000',
      PERCEPT_VISION_MAX_REQUEST_BYTES: '20000',
      PERCEPT_VISION_MAX_IMAGE_PIXELS: '4000',
    },
  });
  const small = await dataUrl('1x1.png');
  const refused = async (path: string, body: object) => {
    const { status, json } = await post(path, body);
    return [status, json.error?.code];
  };
  assert.deepEqual(await refused('/v1/embed/image', { images: [small, small, small] }), [
    400,
    'invalid_request',
  ]);
  assert.deepEqual(await refused('/v1/embed/text', { texts: ['a', 'b', 'c', 'd'] }), [
    400,
    'invalid_request',
  ]);
  const templates = ['{} a', '{} b'];
  assert.deepEqual(await refused('/v1/classify', { image: small, prompts: ['a', 'b'], templates }), [
    400,
    'invalid_request',
  ]);
  const long = `${PNG}${'A'.repeat(4000)}`;
  assert.deepEqual(await refused('/v1/embed/image', { image: long }), [413, 'image_too_large']);
  const longer = `${PNG}${'A'.repeat(40_000)}`;
  assert.deepEqual(await refused('/v1/embed/image', { image: longer }), [413, 'file_too_large']);
  assert.deepEqual(await refused('/v1/embed/image', { image: await dataUrl('1x5000.png') }), [
    413,
    'image_too_large',
  ]);
  assert.equal((await post('/v1/embed/image', { image: small })).status, 200);
});

test('the profile hailo-clip answers images alone, and is ready once its vision model is', async (t) => {
  const { url, post } = await visionService(t, {
    env: { PERCEPT_PROFILE: 'hailo-clip', PERCEPT_MODELS_PRELOAD: 'true' },
  });
  await eventually(async () => (await fetch(`${url}/health/ready`)).status === 200, 'the model is loaded');
  const { models_loaded } = (await (await fetch(`${url}/health`)).json()) as {
    models_loaded: { name: string }[];
  };
  assert.deepEqual(
    models_loaded.map(({ name }) => name),
    ['golden-int8'],
  );
  assert.equal((await post('/v1/classify', { image: await dataUrl('rgb.png'), prompts: ['a'] })).status, 200);
  assert.equal((await post('/v1/chat/completions', {})).status, 404);
});
