/** What only the bridge does: being chosen, its versions, its order of calls, and what it keeps from whom. By the stub of HailoRT's C++ classes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { startPlayer } from '../../support/hailo-player.ts';
import { compileBridgedStub, whyNoStub } from '../../support/stub-hailort.ts';
import { ADDER, BRIDGE, FLOATS, leaks, misuses, PICTURE, stubDevice } from './stub-device.ts';

const { skip } = BRIDGE;
const frame = (value: number) => new Float32Array(12).fill(value);

test('stub bridge: a Hailo-10H is opened, described, run and closed in the right order', {
  skip,
}, async (t) => {
  const stub = await stubDevice(t, {}, BRIDGE);
  const device = await stub.open({ timeoutMs: 1234, groupId: 'KITCHEN' });
  const network = await device.open(await stub.hef(PICTURE), { input: 'uint8', output: 'float32' });
  assert.equal(network.name, 'picture');
  assert.deepEqual(await network.run([new Uint8Array(12).fill(2)]), [Float32Array.of(24, 25)]);
  await network.close();
  await device.close();
  assert.deepEqual(stub.log(), [
    // To learn which device it is.
    'hailo_create_vdevice vdevice#1 group_id=KITCHEN scheduling=1 service=0',
    'hailo_release_vdevice vdevice#1',
    'c++ create_shared',
    'hailo_create_vdevice vdevice#2 group_id=KITCHEN scheduling=1 service=0',
    'c++ create_infer_model',
    'hailo_create_hef_file hef#3',
    'c++ set_batch_size 1',
    'c++ configure',
    'hailo_configure_vdevice vdevice#2 hef#3 group#4 picture',
    'hailo_create_input_vstreams group#4 stream#5 picture/in type=1 timeout=600000',
    'hailo_create_output_vstreams group#4 stream#6 picture/out type=3 timeout=600000',
    'c++ run_async',
    'hailo_vstream_write_raw_buffer stream#5 12',
    'hailo_vstream_read_raw_buffer stream#6 8 status 0',
    'c++ shutdown',
    'hailo_shutdown_network_group group#4',
    'hailo_release_output_vstreams stream#6',
    'hailo_release_input_vstreams stream#5',
    'hailo_release_hef hef#3',
    'hailo_release_vdevice vdevice#2',
  ]);
});

test('stub bridge: bytes go in and come out as they are, inputs and outputs in the order of the HEF', {
  skip,
}, async (t) => {
  const stub = await stubDevice(t, {}, BRIDGE);
  const device = await stub.open();
  const network = await device.open(await stub.hef(ADDER), { input: 'uint8', output: 'uint8' });
  const outputs = await network.run([Uint8Array.of(1, 0, 0, 0), Uint8Array.of(0, 5, 0, 0)]);
  assert.deepEqual(outputs, [Uint8Array.of(11, 12, 13, 14, 15, 16), Uint8Array.of(243, 244, 245, 246, 247)]);
  await device.close();
  assert.deepEqual([leaks(stub.log()), misuses(stub.log())], [[], []]);
});

test('stub bridge: a part of a larger buffer is a frame, too', { skip }, async (t) => {
  const stub = await stubDevice(t, {}, BRIDGE);
  const device = await stub.open();
  const network = await device.open(await stub.hef(PICTURE), FLOATS);
  const large = new Float32Array(40).fill(100);
  large.fill(1, 20, 32);
  assert.deepEqual(await network.run([large.subarray(20, 32)]), [Float32Array.of(12, 13)]);
  await device.close();
});

test('stub bridge: another device is never reached by it', { skip }, async (t) => {
  const stub = await stubDevice(t, { STUB_HAILORT_ARCH: '3' }, BRIDGE);
  const device = await stub.open();
  await (await device.open(await stub.hef(PICTURE), FLOATS)).run([frame(1)]);
  await device.close();
  assert.deepEqual(
    stub.log().filter((line) => line.startsWith('c++')),
    [],
  );
});

test('stub bridge: without one a Hailo-10H is refused with what to build, and nothing is left open', {
  skip: whyNoStub(),
}, async (t) => {
  const stub = await stubDevice(t, { STUB_HAILORT_ARCH: '6', STUB_HAILORT_VERSION: '5.1.1' });
  await assert.rejects(stub.open({ bridges: ['/none/a.so', '/none/b.so'] }), {
    code: 'not_runnable',
    message:
      'HailoRT 5.1.1 lets only C++ programs use a hailo10h, so a bridge is needed, and there is none at /none/a.so or /none/b.so. Build it: percept hailo-bridge build.',
  });
  await assert.rejects(stub.open({ bridges: [] }), { message: /hailo\.bridge is null/ });
  assert.deepEqual(leaks(stub.log()), []);
});

test('stub bridge: a HailoRT that is not known to need one answers for itself', {
  skip: whyNoStub(),
}, async (t) => {
  const stub = await stubDevice(t, { STUB_HAILORT_ARCH: '6', STUB_HAILORT_VERSION: '5.3.0' });
  const device = await stub.open();
  await assert.rejects(device.open(await stub.hef(PICTURE, { architecture: 'HAILO10H' }), FLOATS), {
    code: 'not_runnable',
    message: /HAILO_NOT_IMPLEMENTED \(7\)\. With a Hailo-10H: build the bridge.*percept hailo-bridge build/,
  });
  await device.close();
  assert.deepEqual(leaks(stub.log()), []);
});

test('stub bridge: one that is broken, foreign, or of other versions is refused, and nothing else is tried', {
  skip,
}, async (t) => {
  const stub = await stubDevice(t, {}, BRIDGE);
  const broken = join(stub.folder, 'broken.so');
  await writeFile(broken, 'no library');
  await assert.rejects(stub.open({ bridges: [broken] }), {
    code: 'not_runnable',
    message: /broken\.so cannot be loaded: .*Build it again: percept hailo-bridge build\.$/,
  });
  // A library, but no bridge.
  await assert.rejects(stub.open({ bridges: [stub.path, stub.bridge!] }), {
    code: 'not_runnable',
    message: /stub-libhailort\.so cannot be loaded: .*percept_hailo_interface/,
  });
  stub.set('STUB_HAILORT_VERSION', '5.1.1');
  await assert.rejects(stub.open(), {
    code: 'not_runnable',
    message: /was built for HailoRT 5\.2\.0 and runs with 5\.1\.1; installed is 5\.1\.1, at .*Build it again/,
  });
  assert.deepEqual(leaks(stub.log()), []);
  assert.deepEqual(
    stub.log().filter((line) => line.startsWith('c++')),
    [],
  );
});

test('stub bridge: one that runs with another libhailort than the one that is named is refused', {
  skip,
}, async (t) => {
  const stub = await stubDevice(t, {}, BRIDGE);
  const other = await compileBridgedStub(t, { version: '5.1.1' });
  await assert.rejects(stub.open({ bridges: [other.bridge] }), {
    code: 'not_runnable',
    message: /was built for HailoRT 5\.2\.0 and runs with 5\.1\.1; installed is 5\.2\.0, at .*Build it again/,
  });
  assert.deepEqual(leaks(stub.log()), []);
});

test('stub bridge: one with another interface is refused, whatever else it has', { skip }, async (t) => {
  const stub = await stubDevice(t, {}, BRIDGE);
  const source = join(stub.folder, 'other.c');
  await writeFile(source, 'int percept_hailo_interface(void) { return 99; }\n');
  execFileSync('cc', ['-shared', '-fPIC', '-o', join(stub.folder, 'other.so'), source]);
  await assert.rejects(stub.open({ bridges: [join(stub.folder, 'other.so')] }), {
    code: 'not_runnable',
    message:
      /built by another version of Percept: its interface is 99, and this one needs 1\. Build it again/,
  });
});

test('stub bridge: what its device does not open keeps its status, and an absent device its remedy', {
  skip,
}, async (t) => {
  const stub = await stubDevice(t, { STUB_HAILORT_FAIL: 'hailo_create_vdevice=62@2' }, BRIDGE);
  await assert.rejects(stub.open(), {
    code: 'not_runnable',
    message: /^Opening the Hailo device by its bridge failed: .*HAILO_COMMUNICATION_CLOSED \(62\)/,
  });
  stub.set('STUB_HAILORT_FAIL', 'hailo_create_vdevice=74@4');
  await assert.rejects(stub.open(), { code: 'not_runnable', message: /in use by another program/ });
  stub.set('STUB_HAILORT_FAIL', 'hailo_release_vdevice=8@3');
  await assert.rejects(stub.open(), { message: /^Releasing the Hailo device failed/ });
  assert.ok(!leaks(stub.log()).some((line) => line.startsWith('hef')));
});

for (const method of ['create_shared', 'create_infer_model', 'configure'])
  test(`stub bridge: an exception in ${method} is a status`, { skip }, async (t) => {
    const stub = await stubDevice(t, { STUB_HAILORT_THROW: method }, BRIDGE);
    const path = await stub.hef(PICTURE);
    const opening = async () => {
      const device = await stub.open();
      await device.open(path, FLOATS).finally(() => device.close());
    };
    await assert.rejects(opening, { code: 'not_runnable', message: /HAILO_INTERNAL_FAILURE \(8\)/ });
    assert.deepEqual([leaks(stub.log()), misuses(stub.log())], [[], []]);
  });

test('stub bridge: an exception in a run, or in its end, fails that alone', { skip }, async (t) => {
  const stub = await stubDevice(t, {}, BRIDGE);
  const device = await stub.open();
  const network = await device.open(await stub.hef(PICTURE), FLOATS);
  stub.set('STUB_HAILORT_THROW', 'run_async');
  await assert.rejects(network.run([frame(1)]), { code: 'model_failed', message: /\(8\)/ });
  stub.set('STUB_HAILORT_THROW', '');
  assert.deepEqual(await network.run([frame(2)]), [Float32Array.of(24, 25)]);
  stub.set('STUB_HAILORT_THROW', 'shutdown');
  await assert.rejects(network.close(), {
    code: 'model_failed',
    message: /^Closing the network picture.*\(8\)/,
  });
  await assert.rejects(device.close(), { message: /^Closing the network picture/ });
  assert.deepEqual(
    [leaks(stub.log()).filter((line) => !line.startsWith('group')), misuses(stub.log())],
    [[], []],
  );
});

test('stub bridge: a network that never answers is kept from the library’s way, and time-outs hold', {
  skip,
}, async (t) => {
  const stub = await stubDevice(t, { STUB_HAILORT_DEAF: '1' }, BRIDGE);
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const player = await startPlayer(`${stub.folder}/player`, {
    picture: async ([pixels]) => {
      await held;
      return [pixels!.subarray(0, 2) as Float32Array];
    },
  });
  stub.set('STUB_HAILORT_PLAYER', player.socketPath);
  const device = await stub.open({ timeoutMs: 100 });
  const network = await device.open(await stub.hef(PICTURE), FLOATS);
  await assert.rejects(network.run([frame(1)]), { code: 'timeout', message: /HAILO_TIMEOUT \(4\)/ });
  // The library is still at it, so nothing of the network may be gone.
  assert.ok(!stub.calls().includes('hailo_release_output_vstreams'));
  release();
  assert.deepEqual(await network.run([frame(2)]), [Float32Array.of(2, 2)]);
  await device.close();
  await player.close();
  assert.deepEqual(misuses(stub.log()), []);
});
