/** Runs two networks at once on a device of the stub library, and holds the device until it is told to close it. */
import { once } from 'node:events';
import { openHailo } from '../../../src/backends/hailo/device.ts';
import { FLOATS } from './stub-device.ts';

const [library, adderPath, picturePath, ...bridges] = process.argv.slice(2);
const options = { groupId: 'SHARED', multiProcessService: false, timeoutMs: 5000 };
const device = await openHailo({ library: library!, bridges, ...options });
const [adder, picture] = [await device.open(adderPath!, FLOATS), await device.open(picturePath!, FLOATS)];
const answers = await Promise.all([
  adder.run([new Float32Array(4).fill(2), new Float32Array(4).fill(2)]),
  picture.run([new Float32Array(12).fill(1)]),
  adder.run([new Float32Array(4).fill(2), new Float32Array(4).fill(2)]),
  picture.run([new Float32Array(12).fill(1)]),
]);
process.send!(answers.map(([first]) => first![0]));
await once(process, 'message');
await device.close();
process.disconnect();
