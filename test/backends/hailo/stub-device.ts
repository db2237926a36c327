/** A device of the stub library in this process, for the tests in this folder. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { HailoOptions } from '../../../src/backends/hailo/contract.ts';
import { openHailo } from '../../../src/backends/hailo/device.ts';
import { type SyntheticGroup, type SyntheticHef, writeHef } from '../../support/hef.ts';
import {
  compileBridgedStub,
  compileStub,
  type HailoStub,
  whyNoBridge,
  whyNoStub,
} from '../../support/stub-hailort.ts';
import { temporaryFolder } from '../../support/temporary.ts';

export const FLOATS = { input: 'float32', output: 'float32' } as const;

/** Its outputs come in another order than that of their names, in which the library opens them. */
export const ADDER: SyntheticGroup = {
  name: 'adder',
  inputs: [
    { name: 'adder/right', shape: [1, 1, 4] },
    { name: 'adder/left', shape: [1, 2, 2] },
  ],
  outputs: [
    { name: 'adder/zero', shape: [1, 2, 3] },
    { name: 'adder/another', shape: [1, 1, 5] },
  ],
};

export const PICTURE: SyntheticGroup = {
  name: 'picture',
  inputs: [{ name: 'picture/in', shape: [2, 2, 3] }],
  outputs: [{ name: 'picture/out', shape: [1, 1, 2], zeroPoint: 144, scale: 0.5 }],
};

/** How a device is reached. One suite is run for each. */
export interface Way {
  readonly name: string;
  readonly skip: string | false;
  /** What HEFs are written for. */
  readonly architecture: 'HAILO8P' | 'HAILO10H';
  compile(context: TestContext): Promise<HailoStub & { readonly bridge?: string }>;
}

export const C_FUNCTIONS: Way = {
  name: 'C functions',
  skip: whyNoStub(),
  architecture: 'HAILO8P',
  compile: compileStub,
};
export const BRIDGE: Way = {
  name: 'bridge',
  skip: whyNoBridge(),
  architecture: 'HAILO10H',
  compile: compileBridgedStub,
};
export const WAYS: readonly Way[] = [C_FUNCTIONS, BRIDGE];

/** A stub with its environment set for as long as the test goes; every test has a library, and so counters, of its own. */
export async function stubDevice(
  context: TestContext,
  env: Readonly<Record<string, string>> = {},
  way: Way = C_FUNCTIONS,
) {
  const stub = await way.compile(context);
  const folder = await temporaryFolder(context);
  for (const [name, value] of Object.entries({ ...stub.env, ...env })) setVariable(context, name, value);
  return {
    ...stub,
    folder,
    set: (name: string, value: string) => setVariable(context, name, value),
    /** Names of the functions called so far that made or released something, or moved a frame. */
    calls: () => stub.log().map((line) => line.split(' ')[0]!),
    open: (options: Partial<HailoOptions> = {}) =>
      openHailo({
        library: stub.path,
        bridges: stub.bridge === undefined ? [] : [stub.bridge],
        groupId: 'SHARED',
        multiProcessService: false,
        timeoutMs: 5000,
        ...options,
      }),
    async hef(group: SyntheticGroup, more: Partial<SyntheticHef> = {}): Promise<string> {
      const path = join(folder, `${group.name}.hef`);
      await writeFile(path, writeHef({ groups: [group], architecture: way.architecture, ...more }));
      return path;
    },
  };
}

/** The stub reads the real environment, which Node writes through. */
function setVariable(context: TestContext, name: string, value: string): void {
  process.env[name] = value;
  context.after(() => {
    delete process.env[name];
  });
}

/** What was made and not released; a group that was shut down needs no release. */
export function leaks(log: readonly string[]): string[] {
  const open = new Map<string, number>();
  const add = (name: string, by: number) => open.set(name, (open.get(name) ?? 0) + by);
  for (const line of log) {
    const call = line.split(' ')[0]!;
    const handles = line.match(/(vdevice|hef|group|stream)#\d+/g) ?? [];
    const last = handles.at(-1)!;
    if (line.includes(' failed ')) continue;
    if (/^hailo_create_(vdevice|hef_file|input|output)|^hailo_configure_vdevice/.test(call)) add(last, 1);
    if (/^hailo_release_(vdevice|hef|input|output)/.test(call)) add(last, -1);
    if (call === 'hailo_shutdown_network_group') open.delete(last);
  }
  return [...open].filter(([, count]) => count !== 0).map(([name, count]) => `${name}: ${count}`);
}

export const misuses = (log: readonly string[]) => log.filter((line) => line.startsWith('MISUSE'));
