/** Entry of the process that loads the library to see what it finds: `survey-process.js LIBRARY BRIDGE...` sends one `LibraryReport` to its parent. */
import { AppError, toWireError } from '../../base/errors.ts';
import { findBridge, openBridge } from './bridge.ts';
import { checkedCalls, wordAt } from './checked-calls.ts';
import { type DeviceIdentity, WORD_BYTES } from './layouts.ts';
import { findLibrary, type HailoLibrary, isFound, openLibrary } from './library.ts';
import type { LibraryReport } from './survey.ts';
import { identifyDevice, scanDevices } from './vdevice.ts';

await main(process.argv[2] ?? 'auto', process.argv.slice(3));

async function main(library: string, bridges: readonly string[]): Promise<void> {
  const report = await survey(library, bridges);
  process.send?.(report, () => process.disconnect());
}

async function survey(library: string, bridges: readonly string[]): Promise<LibraryReport> {
  const path = library === 'auto' ? findLibrary() : library;
  let opened: HailoLibrary;
  try {
    opened = await openLibrary(library);
  } catch (thrown) {
    const isInstalled = library !== 'auto' || isFound(path);
    return { isInstalled, path, devices: [], found: 0, problem: toWireError(thrown) };
  }
  const { version } = opened;
  const bridge = await tryBridge(opened, bridges);
  const devices: DeviceIdentity[] = [];
  let found = 0;
  try {
    const calls = checkedCalls(opened, 'Asking the Hailo device what it is', 'not_runnable');
    const ids = scanDevices(calls);
    found = ids.length;
    for (const id of ids) devices.push(await identify(opened, id));
    return { isInstalled: true, path, version, devices, found, ...bridge };
  } catch (thrown) {
    const problem = wireError(thrown);
    return { isInstalled: true, path, version, devices, found, problem, ...bridge };
  }
}

async function tryBridge(
  library: HailoLibrary,
  bridges: readonly string[],
): Promise<Pick<LibraryReport, 'bridge'>> {
  const path = findBridge(bridges);
  if (path === undefined) return {};
  try {
    await openBridge(path, library);
    return { bridge: { path } };
  } catch (thrown) {
    return { bridge: { path, problem: wireError(thrown) } };
  }
}

function wireError(thrown: unknown) {
  return toWireError(thrown instanceof AppError ? thrown : new AppError('not_runnable', String(thrown)));
}

async function identify(library: HailoLibrary, id: Buffer): Promise<DeviceIdentity> {
  const calls = checkedCalls(library, 'Asking the Hailo device what it is', 'not_runnable');
  const handle = Buffer.alloc(WORD_BYTES);
  await calls.later('hailo_create_device_by_id', id, handle);
  try {
    return await identifyDevice(calls, wordAt(handle));
  } finally {
    await calls.later('hailo_release_device', wordAt(handle));
  }
}
