import assert from 'node:assert/strict';
import test from 'node:test';
import { startPlayer } from '../../support/hailo-player.ts';
import { whyNoStub } from '../../support/stub-hailort.ts';
import { ADDER, FLOATS, leaks, misuses, PICTURE, stubDevice, WAYS } from './stub-device.ts';

const skip = whyNoStub();
const left = Float32Array.of(1, 2, 3, 4);
const right = Float32Array.of(10, 20, 30, 40);
/** What the stub makes of the two: inputs in the order of the HEF, right first. */
const SUM = 100 + 2 * 10;

for (const way of WAYS)
  test(`stub device by ${way.name}: streams have the order of the HEF, whatever that of the library`, {
    skip: way.skip,
  }, async (t) => {
    const stub = await stubDevice(t, {}, way);
    const device = await stub.open();
    const network = await device.open(await stub.hef(ADDER), FLOATS);
    assert.equal(network.name, 'adder');
    assert.deepEqual(network.inputs, [
      { name: 'adder/right', shape: { height: 1, width: 1, features: 4 } },
      { name: 'adder/left', shape: { height: 1, width: 2, features: 2 } },
    ]);
    assert.deepEqual(
      network.outputs.map(({ name }) => name),
      ['adder/zero', 'adder/another'],
    );
    const outputs = await network.run([right, left]);
    assert.deepEqual(outputs, [
      Float32Array.from({ length: 6 }, (_, index) => SUM + index),
      Float32Array.from({ length: 5 }, (_, index) => SUM + 1000 + index),
    ]);
    await device.close();
  });

test('stub device: calls come in the order of Hailo’s own example, and all is released', {
  skip,
}, async (t) => {
  const stub = await stubDevice(t);
  const device = await stub.open({ timeoutMs: 1234 });
  const network = await device.open(await stub.hef(PICTURE), { input: 'uint8', output: 'float32' });
  assert.deepEqual(await network.run([new Uint8Array(12).fill(2)]), [Float32Array.of(24, 25)]);
  await network.close();
  await device.close();
  assert.deepEqual(stub.log(), [
    'hailo_create_vdevice vdevice#1 group_id=SHARED scheduling=1 service=0',
    'hailo_create_hef_file hef#2',
    'hailo_configure_vdevice vdevice#1 hef#2 group#3 picture',
    'hailo_create_input_vstreams group#3 stream#4 picture/in type=1 timeout=1234',
    'hailo_create_output_vstreams group#3 stream#5 picture/out type=3 timeout=1234',
    'hailo_vstream_write_raw_buffer stream#4 12',
    'hailo_vstream_read_raw_buffer stream#5 8 status 0',
    'hailo_shutdown_network_group group#3',
    'hailo_release_output_vstreams stream#5',
    'hailo_release_input_vstreams stream#4',
    'hailo_release_hef hef#2',
    'hailo_release_vdevice vdevice#1',
  ]);
});

for (const way of WAYS)
  test(`stub device by ${way.name}: runs of one network follow one another, and answers are never mixed up`, {
    skip: way.skip,
  }, async (t) => {
    const stub = await stubDevice(t, { STUB_HAILORT_DELAY_MS: '5' }, way);
    const device = await stub.open();
    const [adder, picture] = [
      await device.open(await stub.hef(ADDER), FLOATS),
      await device.open(await stub.hef(PICTURE), FLOATS),
    ];
    const runs = Array.from({ length: 8 }, async (_, index) => {
      const [first] = await adder.run([right.map((value) => value * index), left]);
      const [second] = await picture.run([new Float32Array(12).fill(index)]);
      return [first![0], second![0]];
    });
    assert.deepEqual(
      await Promise.all(runs),
      Array.from({ length: 8 }, (_, index) => [100 * index + 20, 12 * index]),
    );
    await device.close();
    assert.deepEqual([leaks(stub.log()), misuses(stub.log())], [[], []]);
  });

for (const way of WAYS)
  test(`stub device by ${way.name}: users of one group share one device, which the last of them gives back`, {
    skip: way.skip,
  }, async (t) => {
    const stub = await stubDevice(t, {}, way);
    const devices = await Promise.all([stub.open(), stub.open()]);
    const network = await devices[0].open(await stub.hef(PICTURE), FLOATS);
    await devices[1].close();
    assert.equal((await network.run([new Float32Array(12)])).length, 1);
    assert.deepEqual(leaks(stub.log()).length > 0, true);
    // A new user that comes while the last one leaves gets a device of its own, after that.
    const [, again] = await Promise.all([devices[0].close(), stub.open()]);
    await again.close();
    await again.close();
    assert.deepEqual(leaks(stub.log()), []);
    assert.deepEqual(misuses(stub.log()), []);
    await assert.rejects(network.run([new Float32Array(12)]), { code: 'shutting_down' });
  });

test('stub device: none present and in use by another are told apart', { skip }, async (t) => {
  const stub = await stubDevice(t, { STUB_HAILORT_DEVICES: '0' });
  await assert.rejects(stub.open(), {
    code: 'not_runnable',
    message: /^There is no Hailo device.*\/dev\/hailo0/,
  });
  stub.set('STUB_HAILORT_DEVICES', '1');
  const device = await stub.open();
  await assert.rejects(stub.open({ groupId: 'OTHER' }), {
    code: 'not_runnable',
    message: /in use by another program.*multi_process_service/,
  });
  await device.close();
  stub.set('STUB_HAILORT_DEVICES', '40');
  stub.set('STUB_HAILORT_BUSY', '1');
  await assert.rejects(stub.open(), { message: /in use by another program/ });
  assert.deepEqual(leaks(stub.log()), []);
});

test('stub device: a HEF of another chip is refused before the library sees it', { skip }, async (t) => {
  const stub = await stubDevice(t, { STUB_HAILORT_ARCH: '2' });
  const device = await stub.open();
  await assert.rejects(device.open(await stub.hef(PICTURE), FLOATS), {
    code: 'unsupported_model',
    message: /picture\.hef was compiled for hailo8, and this device is a hailo8l\. Take the HEF/,
  });
  assert.ok(!stub.calls().includes('hailo_create_hef_file'));
  await (await device.open(await stub.hef(PICTURE, { architecture: 'HAILO8L' }), FLOATS)).close();
  await device.close();
});

test('stub device: of several networks in a HEF, the first by name is opened', { skip }, async (t) => {
  const stub = await stubDevice(t);
  const device = await stub.open();
  const network = await device.open(await stub.hef(PICTURE, { groups: [PICTURE, ADDER] }), FLOATS);
  assert.equal(network.name, 'adder');
  const [zero] = await network.run([new Float32Array([1, 2, 3, 4]), new Float32Array(4)]);
  assert.equal(zero![0], 10);
  await device.close();
  assert.deepEqual(misuses(stub.log()), []);
});

test('stub device: what is no HEF, or none with plain frames, is refused', { skip }, async (t) => {
  const stub = await stubDevice(t);
  const device = await stub.open();
  await assert.rejects(device.open(stub.path, FLOATS), { code: 'unsupported_model' });
  await assert.rejects(device.open(`${stub.folder}/none.hef`, FLOATS), { code: 'unsupported_model' });
  stub.set('STUB_HAILORT_FAIL', 'hailo_create_hef_file=91');
  await assert.rejects(device.open(await stub.hef(PICTURE), FLOATS), {
    code: 'unsupported_model',
    message: /HAILO_HEF_FILE_CORRUPTED \(91\).*copy or download it again/,
  });
  await device.close();
  assert.deepEqual(leaks(stub.log()), []);
});

for (const version of ['4.17.0', '4.19.9', '4.20.0', '4.23.0', '5.0.0', '5.1.1'])
  test(`stub device: version ${version} is read with its own layout`, { skip }, async (t) => {
    const stub = await stubDevice(t, { STUB_HAILORT_VERSION: version });
    const device = await stub.open();
    const network = await device.open(await stub.hef(ADDER), FLOATS);
    assert.deepEqual(network.outputs[1], {
      name: 'adder/another',
      shape: { height: 1, width: 1, features: 5 },
    });
    assert.equal((await network.run([right, left]))[1]![0], SUM + 1000);
    await device.close();
  });

for (const version of ['4.16.2', '3.0.0', '6.0.0'])
  test(`stub device: version ${version} is refused before anything is opened`, { skip }, async (t) => {
    const stub = await stubDevice(t, { STUB_HAILORT_VERSION: version });
    const message = new RegExp(`HailoRT ${version} is not supported: Percept knows 4\\.17 to 5\\.x`);
    await assert.rejects(stub.open(), { code: 'not_runnable', message });
    assert.deepEqual(stub.log(), []);
  });

test('stub device: the player answers with real numbers, and its failures are those of the run', {
  skip,
}, async (t) => {
  const stub = await stubDevice(t);
  const player = await startPlayer(`${stub.folder}/player`, {
    adder: async ([first, second]) => [
      Float32Array.from({ length: 6 }, () => first![0]! + second![0]!),
      new Float32Array(5).fill(0.5),
    ],
    picture: async ([pixels]) => {
      if (pixels![0] === 9) throw new Error('nine');
      return [Float32Array.of(pixels![0]!, pixels!.length)];
    },
  });
  stub.set('STUB_HAILORT_PLAYER', player.socketPath);
  const device = await stub.open();
  const adder = await device.open(await stub.hef(ADDER), FLOATS);
  const picture = await device.open(await stub.hef(PICTURE), { input: 'uint8', output: 'float32' });
  const [sums, pixels] = await Promise.all([
    adder.run([right, left]),
    picture.run([new Uint8Array(12).fill(7)]),
  ]);
  assert.deepEqual([sums[0], pixels[0]], [new Float32Array(6).fill(11), Float32Array.of(7, 12)]);
  assert.deepEqual(sums[1], new Float32Array(5).fill(0.5));
  await assert.rejects(picture.run([new Uint8Array(12).fill(9)]), {
    code: 'model_failed',
    message: /^Running the network picture on the Hailo device failed: .*HAILO_INTERNAL_FAILURE \(8\)/,
  });
  assert.deepEqual(await picture.run([new Uint8Array(12).fill(8)]), [Float32Array.of(8, 12)]);
  assert.deepEqual(
    player.errors.map(({ message }) => message),
    ['nine'],
  );
  await device.close();
  await player.close();
  assert.deepEqual([leaks(stub.log()), misuses(stub.log())], [[], []]);
});
