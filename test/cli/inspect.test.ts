import assert from 'node:assert/strict';
import test from 'node:test';
import { register as registerModels } from '../../src/cli/models.ts';
import { runCommands } from '../support/command-line.ts';
import { writeHef } from '../support/hef.ts';
import { temporaryFile } from '../support/temporary.ts';

const HEF = writeHef({
  architecture: 'HAILO8L',
  groups: [
    {
      name: 'clip_resnet_50x4',
      inputs: [{ name: 'clip/input_layer1', shape: [288, 288, 3] }],
      outputs: [{ name: 'clip/conv89', shape: [1, 1, 640], zeroPoint: 144, scale: 0.0167 }],
    },
  ],
});

test('models inspect: a HEF in words, and for machines', async (t) => {
  const percept = await runCommands(t, { commands: [registerModels] });
  const path = await temporaryFile(t, 'clip.hef', HEF);
  assert.equal(
    (await percept('models', 'inspect', path, '--checksum')).stdout,
    `chip      hailo8l
compiler  3.33.0
file      HEF version 1, ${HEF.length} B
checksum  crc32, matches

network clip_resnet_50x4
        NAME               SHAPE          ORDER  BITS  SCALE   ZERO POINT
input   clip/input_layer1  288 × 288 × 3  NHWC   8     1       0
output  clip/conv89        1 × 1 × 640    NC     8     0.0167  144
`,
  );
  const hef = JSON.parse((await percept('models', 'inspect', '--json', path)).stdout);
  assert.deepEqual(hef.checksum, { algorithm: 'crc32', verdict: 'not checked' });
  assert.deepEqual(hef.groups[0].inputs[0].shape, { height: 288, width: 288, features: 3 });
  assert.match((await percept('models')).stderr, /No model is installed/);
});

test('models inspect: a damaged file is shown, and fails; what is no HEF is an error', async (t) => {
  const percept = await runCommands(t, { commands: [registerModels] });
  const damaged = Buffer.from(HEF);
  damaged[damaged.length - 2]! ^= 1;
  const written = await percept(
    'models',
    'inspect',
    '--checksum',
    await temporaryFile(t, 'clip.hef', damaged),
  );
  assert.match(written.stdout, /checksum {2}crc32, differs/);
  assert.match(written.stderr, /damaged: copy or download it again/);
  assert.ok(written.hasFailed);
  const other = await temporaryFile(t, 'model.onnx', Buffer.alloc(100, 8));
  await assert.rejects(percept('models', 'inspect', other), { code: 'unsupported_model' });
});
