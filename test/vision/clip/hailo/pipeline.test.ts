/** CLIP's pipeline for a Hailo device, whose place the stub library takes: clip-shapes at float32 answers for it, through the HTTP route. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { tellApart } from '../../../support/drawings.ts';
import { type FixedClipOptions, fixedClip } from '../../../support/fixed-clip.ts';
import { type PlayedNetwork, startPlayer } from '../../../support/hailo-player.ts';
import { writeHef } from '../../../support/hef.ts';
import {
  compileBridgedStub,
  compileStub,
  type HailoStub,
  whyNoBridge,
  whyNoStub,
} from '../../../support/stub-hailort.ts';
import { temporaryFolder } from '../../../support/temporary.ts';
import { VISION_MODEL, type VisionUnderTest, visionService } from '../../../support/vision-service.ts';

const skip = whyNoStub();
/** As is asked of clip-shapes on the CPU. */
const LEAST_ACCURACY = 0.95;

interface Case {
  readonly name: string;
  readonly model: FixedClipOptions;
  readonly textEncoder: 'auto' | 'npu' | 'cpu';
  /** Whether texts are to reach the device. */
  readonly textsOnDevice: boolean;
}

const CASES: readonly Case[] = [
  {
    name: 'texts on the device, which adds their positions',
    model: { hasText: true, hasPositions: true },
    textEncoder: 'npu',
    textsOnDevice: true,
  },
  {
    name: 'texts on the device, to which the host adds their positions',
    model: { hasText: true, hasPositions: false },
    textEncoder: 'auto',
    textsOnDevice: true,
  },
  {
    name: 'texts on the CPU, as is asked for',
    model: { hasText: true, hasPositions: true },
    textEncoder: 'cpu',
    textsOnDevice: false,
  },
  {
    name: 'texts on the CPU, as no encoder for them was compiled',
    model: { hasText: false, hasPositions: true },
    textEncoder: 'auto',
    textsOnDevice: false,
  },
];

for (const { name, model, textEncoder, textsOnDevice } of CASES) {
  test(`drawings are told apart on a device: ${name}`, { skip }, async (t) => {
    const { service, stub } = await onDevice(t, { model, env: { PERCEPT_HAILO_TEXT_ENCODER: textEncoder } });
    const { right, all } = await tellApart(service, 'prompts', VISION_MODEL);
    t.diagnostic(`${right} of ${all}`);
    assert.ok(right / all >= LEAST_ACCURACY, `${right} of ${all}`);
    const opened = stub.log().filter((line) => line.startsWith('hailo_create_hef_file'));
    assert.equal(opened.length, textsOnDevice ? 2 : 1);
    assert.equal(stub.log().filter((line) => line.startsWith('hailo_create_vdevice')).length, 1);
  });
}

test('drawings are told apart on a Hailo-10H, through the bridge', { skip: whyNoBridge() }, async (t) => {
  const model = { hasText: true, hasPositions: true, architecture: 'HAILO10H' } as const;
  const { service, stub } = await onDevice(t, { model, env: { PERCEPT_HAILO_TEXT_ENCODER: 'npu' } });
  const { right, all } = await tellApart(service, 'prompts', VISION_MODEL);
  t.diagnostic(`${right} of ${all}`);
  assert.ok(right / all >= LEAST_ACCURACY, `${right} of ${all}`);
  assert.equal(stub.log().filter((line) => line === 'c++ create_infer_model').length, 2);
  assert.ok(!stub.log().some((line) => line.startsWith('MISUSE')));
});

test('a Hailo-10H without its bridge is told of with the remedy', { skip: whyNoBridge() }, async (t) => {
  const model = { hasText: false, hasPositions: true, architecture: 'HAILO10H' } as const;
  const { service } = await onDevice(t, { model, env: { PERCEPT_HAILO_BRIDGE: '/nowhere/bridge.so' } });
  const { status, json } = await service.post('/v1/embed/text', { texts: ['a'], model: VISION_MODEL });
  assert.equal(status, 503);
  assert.match(
    json.error!.message,
    /there is none at \/nowhere\/bridge\.so\. Build it: percept hailo-bridge build/,
  );
});

test('embeddings of a device and of the CPU are in one space', { skip }, async (t) => {
  const { service } = await onDevice(t, { model: { hasText: true, hasPositions: false }, env: {} });
  const texts = ['a red circle', 'three yellow stars'];
  const embed = async (model: string) =>
    (await service.post('/v1/embed/text', { texts, model })).json['embeddings'] as number[][];
  const [here, there] = [await embed(VISION_MODEL), await embed('clip-shapes-float32')];
  for (const [index, row] of here.entries()) {
    const cosine = row.reduce((sum, value, at) => sum + value * there[index]![at]!, 0);
    assert.ok(cosine > 0.9999, `${texts[index]}: ${cosine}`);
  }
});

test('a text encoder that reads otherwise than the checkpoint beside it is not used', { skip }, async (t) => {
  const model = { hasText: true, hasPositions: true };
  const ask = async (textEncoder: string) => {
    const { service, stub } = await onDevice(t, {
      model,
      isOtherText: true,
      env: { PERCEPT_HAILO_TEXT_ENCODER: textEncoder },
    });
    const answer = await service.post('/v1/embed/text', { texts: ['a red circle'], model: VISION_MODEL });
    return { ...answer, stub };
  };
  const onDeviceOnly = await ask('npu');
  assert.equal(onDeviceOnly.status, 503);
  assert.match(onDeviceOnly.json.error!.message, /other embeddings than the checkpoint beside it/);
  assert.equal((await ask('auto')).status, 200);
});

test('a device that is not there is told of with the remedy, and the server goes on', { skip }, async (t) => {
  const { service } = await onDevice(t, {
    model: { hasText: false, hasPositions: true },
    env: { PERCEPT_HAILO_LIBRARY: '/nowhere/libhailort.so' },
  });
  const { status, json } = await service.post('/v1/embed/text', { texts: ['a'], model: VISION_MODEL });
  assert.equal(status, 503);
  assert.equal(json.error!.code, 'not_runnable');
  assert.match(json.error!.message, /nowhere\/libhailort\.so/);
  const cpu = await service.post('/v1/embed/text', { texts: ['a'], model: 'clip-shapes' });
  assert.equal(cpu.status, 200);
});

test('an image encoder of another size than the checkpoint is refused with both', { skip }, async (t) => {
  const { service } = await onDevice(t, {
    model: { hasText: false, hasPositions: true },
    image: [288, 288, 3],
    env: {},
  });
  const { status, json } = await service.post('/v1/embed/text', { texts: ['a'], model: VISION_MODEL });
  assert.equal(status, 503);
  assert.match(json.error!.message, /sees 288 x 288 x 3/);
});

interface Setting {
  readonly model: FixedClipOptions;
  /** Its text encoder is that of another model. */
  readonly isOtherText?: boolean;
  /** Size of the pictures that its image encoder is said to see. */
  readonly image?: readonly [number, number, number];
  readonly env: Readonly<Record<string, string>>;
}

async function onDevice(
  t: TestContext,
  { model, isOtherText = false, image, env }: Setting,
): Promise<{ service: VisionUnderTest; stub: HailoStub }> {
  const folder = await temporaryFolder(t);
  const bridged = model.architecture === 'HAILO10H' ? await compileBridgedStub(t) : undefined;
  const stub = bridged ?? (await compileStub(t));
  const fixed = await fixedClip(join(folder, 'model'), model);
  if (image !== undefined) {
    const group = {
      name: 'image',
      inputs: [{ name: 'i', shape: image }],
      outputs: [{ name: 'o', shape: [1, 1, 640] }],
    } as const;
    await writeFile(join(fixed.directory, 'shapes_image_encoder.hef'), writeHef({ groups: [group] }));
  }
  const { networks } = fixed;
  const otherText: PlayedNetwork = async (inputs) =>
    (await networks['text']!(inputs)).map((rows) => rows.map((value, at) => (at % 2 === 0 ? value : -value)));
  const player = await startPlayer(join(folder, 'player.sock'), {
    ...networks,
    ...(isOtherText ? { text: otherText } : {}),
  });
  t.after(async () => {
    await player.close();
    await fixed.close();
    assert.deepEqual(player.errors, []);
  });
  const service = await visionService(t, {
    directory: fixed.directory,
    env: {
      ...stub.env,
      STUB_HAILORT_PLAYER: player.socketPath,
      PERCEPT_HAILO_LIBRARY: stub.path,
      ...(bridged === undefined ? {} : { PERCEPT_HAILO_BRIDGE: bridged.bridge }),
      ...env,
    },
  });
  return { service, stub };
}
