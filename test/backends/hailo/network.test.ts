import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { startPlayer } from '../../support/hailo-player.ts';
import {
  ADDER,
  FLOATS,
  leaks,
  misuses,
  stubDevice as openStub,
  PICTURE,
  WAYS,
  type Way,
} from './stub-device.ts';

const frame = (value: number) => new Float32Array(12).fill(value);

/** Calls that open a device and one network, in the order in which they can fail. */
const OPENING: Readonly<Record<string, readonly string[]>> = {
  'C functions': [
    'hailo_init_vdevice_params',
    'hailo_create_vdevice',
    'hailo_get_physical_devices',
    'hailo_identify',
    'hailo_create_hef_file',
    'hailo_get_network_groups_infos',
    'hailo_hef_get_all_vstream_infos',
    'hailo_hef_get_sorted_output_names',
    'hailo_configure_vdevice',
    'hailo_make_input_vstream_params',
    'hailo_create_input_vstreams',
    'hailo_get_input_vstream_info',
    'hailo_get_input_vstream_frame_size',
    'hailo_make_output_vstream_params',
    'hailo_create_output_vstreams',
    'hailo_get_output_vstream_info',
    'hailo_get_output_vstream_frame_size',
  ],
  bridge: [
    'hailo_init_vdevice_params',
    'hailo_create_vdevice',
    'hailo_get_physical_devices',
    'hailo_identify',
    'hailo_create_hef_file',
    'hailo_get_network_groups_infos',
    'hailo_hef_get_all_vstream_infos',
    'hailo_hef_get_sorted_output_names',
    'hailo_configure_vdevice',
    'hailo_create_input_vstreams',
    'hailo_create_output_vstreams',
  ],
};

for (const way of WAYS) suite(way);

function suite(way: Way): void {
  const { skip } = way;
  const stubDevice = (t: TestContext, env: Readonly<Record<string, string>> = {}) => openStub(t, env, way);

  test(`stub network by ${way.name}: what was opened before a failing call is released, for every call`, {
    skip,
  }, async (t) => {
    const stub = await stubDevice(t);
    const path = await stub.hef(ADDER);
    for (const name of OPENING[way.name]!) {
      stub.set('STUB_HAILORT_FAIL', `${name}=71`);
      const message = /HAILO_OUT_OF_FW_MEMORY \(71\)\. Close other programs/;
      const opening = async () => {
        const device = await stub.open();
        await device.open(path, FLOATS).finally(() => device.close());
      };
      await assert.rejects(opening, { message }, name);
      assert.deepEqual(leaks(stub.log()), [], name);
    }
    stub.set('STUB_HAILORT_FAIL', '');
    const device = await stub.open();
    await (await device.open(path, FLOATS)).run([new Float32Array(4), new Float32Array(4)]);
    await device.close();
    assert.deepEqual([leaks(stub.log()), misuses(stub.log())], [[], []]);
  });

  test(`stub network by ${way.name}: after a failed call the group is configured anew, and works`, {
    skip,
  }, async (t) => {
    const stub = await stubDevice(t);
    const device = await stub.open();
    const network = await device.open(await stub.hef(PICTURE), FLOATS);
    for (const name of ['hailo_vstream_write_raw_buffer', 'hailo_vstream_read_raw_buffer']) {
      stub.set('STUB_HAILORT_FAIL', `${name}=87`);
      await assert.rejects(network.run([frame(1)]), {
        code: 'model_failed',
        message: /HAILO_DRIVER_TIMEOUT \(87\)/,
      });
      stub.set('STUB_HAILORT_FAIL', '');
      assert.deepEqual(await network.run([frame(2)]), [Float32Array.of(24, 25)]);
    }
    assert.equal(stub.calls().filter((name) => name === 'hailo_configure_vdevice').length, 3);
    // A group that cannot be configured again fails that run alone.
    stub.set('STUB_HAILORT_FAIL', 'hailo_vstream_read_raw_buffer=8');
    await assert.rejects(network.run([frame(1)]));
    stub.set('STUB_HAILORT_FAIL', 'hailo_configure_vdevice=71');
    await assert.rejects(network.run([frame(1)]), { code: 'model_failed', message: /\(71\)/ });
    stub.set('STUB_HAILORT_FAIL', '');
    assert.deepEqual(await network.run([frame(3)]), [Float32Array.of(36, 37)]);
    await device.close();
    assert.deepEqual([leaks(stub.log()), misuses(stub.log())], [[], []]);
  });

  test(`stub network by ${way.name}: a status of an unknown number is told by its number`, {
    skip,
  }, async (t) => {
    const stub = await stubDevice(t);
    const device = await stub.open();
    stub.set('STUB_HAILORT_FAIL', 'hailo_configure_vdevice=999');
    await assert.rejects(device.open(await stub.hef(PICTURE), FLOATS), {
      code: 'not_runnable',
      message: /answered status 999\. Look at the kernel’s log/,
    });
    await device.close();
  });

  test(`stub network by ${way.name}: a frame that comes after the time-out is never the answer of a later one`, {
    skip,
  }, async (t) => {
    const stub = await stubDevice(t, { STUB_HAILORT_DELAY_MS: '300' });
    const device = await stub.open({ timeoutMs: 100 });
    const network = await device.open(await stub.hef(PICTURE), FLOATS);
    await assert.rejects(network.run([frame(1)]), {
      code: 'timeout',
      message: /HAILO_TIMEOUT \(4\).*hailo\.timeout_seconds/,
    });
    stub.set('STUB_HAILORT_DELAY_MS', '0');
    for (const value of [2, 3, 4])
      assert.deepEqual(await network.run([frame(value)]), [Float32Array.of(12 * value, 12 * value + 1)]);
    await device.close();
    assert.deepEqual([leaks(stub.log()), misuses(stub.log())], [[], []]);
  });

  test(`stub network by ${way.name}: a slow device leaves the event loop free, and other networks theirs`, {
    skip,
  }, async (t) => {
    const stub = await stubDevice(t);
    const device = await stub.open();
    const slow = await device.open(await stub.hef(ADDER), FLOATS);
    const quick = await device.open(await stub.hef(PICTURE), FLOATS);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const player = await startPlayer(`${stub.folder}/player`, {
      adder: async () => {
        await held;
        return [new Float32Array(6), new Float32Array(5)];
      },
      picture: async ([pixels]) => [pixels!.subarray(0, 2) as Float32Array],
    });
    stub.set('STUB_HAILORT_PLAYER', player.socketPath);
    const answer = slow.run([new Float32Array(4), new Float32Array(4)]);
    // Only this thread can release the slow one, so it must not wait for it.
    assert.deepEqual(await quick.run([frame(5)]), [Float32Array.of(5, 5)]);
    release();
    assert.equal((await answer).length, 2);
    await device.close();
    await player.close();
  });

  test(`stub network by ${way.name}: a run that waits for its turn stops at once when it is aborted`, {
    skip,
  }, async (t) => {
    const stub = await stubDevice(t, { STUB_HAILORT_DELAY_MS: '200' });
    const device = await stub.open();
    const network = await device.open(await stub.hef(PICTURE), FLOATS);
    const ended: string[] = [];
    const first = network.run([frame(1)]).then((frames) => {
      ended.push('first');
      return frames;
    });
    const controller = new AbortController();
    const waiting = network.run([frame(2)], controller.signal).finally(() => ended.push('aborted'));
    const third = network.run([frame(3)]);
    controller.abort();
    await assert.rejects(waiting, { code: 'cancelled' });
    assert.deepEqual(await first, [Float32Array.of(12, 13)]);
    assert.deepEqual(ended, ['aborted', 'first']);
    assert.deepEqual(await third, [Float32Array.of(36, 37)]);
    const writes = stub.calls().filter((name) => name === 'hailo_vstream_write_raw_buffer');
    assert.equal(writes.length, 2);
    await assert.rejects(network.run([frame(4)], AbortSignal.abort()), { code: 'cancelled' });
    await device.close();
  });

  test(`stub network by ${way.name}: one under way is brought to its end, and its answer dropped`, {
    skip,
  }, async (t) => {
    const stub = await stubDevice(t, { STUB_HAILORT_DELAY_MS: '100' });
    const device = await stub.open();
    const network = await device.open(await stub.hef(PICTURE), FLOATS);
    const controller = new AbortController();
    const aborted = network.run([frame(1)], controller.signal);
    await waitFor(() => stub.calls().includes('hailo_vstream_write_raw_buffer'));
    controller.abort();
    await assert.rejects(aborted, { code: 'cancelled' });
    assert.ok(stub.calls().includes('hailo_vstream_read_raw_buffer'));
    assert.deepEqual(await network.run([frame(2)]), [Float32Array.of(24, 25)]);
    assert.equal(stub.calls().filter((name) => name === 'hailo_configure_vdevice').length, 1);
    await device.close();
  });

  test(`stub network by ${way.name}: closing ends what is under way, by status 63, and what waits`, {
    skip,
  }, async (t) => {
    const stub = await stubDevice(t, { STUB_HAILORT_DELAY_MS: '60000' });
    const device = await stub.open({ timeoutMs: 50_000 });
    const network = await device.open(await stub.hef(PICTURE), FLOATS);
    const runs = [network.run([frame(1)]), network.run([frame(2)])];
    const ends = runs.map((run) => assert.rejects(run, { code: 'shutting_down' }));
    await waitFor(() => stub.calls().includes('hailo_vstream_write_raw_buffer'));
    await network.close();
    await Promise.all(ends);
    await device.close();
    assert.ok(stub.log().some((line) => line.endsWith('status 63')));
    assert.deepEqual([leaks(stub.log()), misuses(stub.log())], [[], []]);
  });

  test(`stub network by ${way.name}: frames of the wrong number, kind or size never reach the library`, {
    skip,
  }, async (t) => {
    const stub = await stubDevice(t);
    const device = await stub.open();
    const network = await device.open(await stub.hef(PICTURE), FLOATS);
    const message = /takes 12 numbers as float32; it was given 12 of 8 bits/;
    await assert.rejects(network.run([new Uint8Array(12)]), { code: 'model_failed', message });
    await assert.rejects(network.run([new Float32Array(11)]), { message: /was given 11 of 32 bits/ });
    await assert.rejects(network.run([]), { message: /has 1 inputs, and was given 0/ });
    assert.ok(!stub.calls().includes('hailo_vstream_write_raw_buffer'));
    await device.close();
  });

  test(`stub network by ${way.name}: one pool thread is enough, and a second process finds the device in use`, {
    skip,
  }, async (t) => {
    const stub = await stubDevice(t);
    const lock = { STUB_HAILORT_LOCK: `${stub.folder}/device` };
    const paths = [await stub.hef(ADDER), await stub.hef(PICTURE)];
    const child = fork(
      new URL('./stub-device-process.js', import.meta.url),
      [stub.path, ...paths, ...(stub.bridge === undefined ? [] : [stub.bridge])],
      {
        env: { ...process.env, ...lock, UV_THREADPOOL_SIZE: '1', STUB_HAILORT_DELAY_MS: '20' },
      },
    );
    const [answers] = await once(child, 'message');
    assert.deepEqual(answers, [24, 12, 24, 12]);
    stub.set('STUB_HAILORT_LOCK', lock.STUB_HAILORT_LOCK);
    await assert.rejects(stub.open(), { code: 'not_runnable', message: /in use by another program/ });
    child.send('close');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    await (await stub.open()).close();
  });
}

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
