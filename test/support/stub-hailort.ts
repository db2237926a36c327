/** A library of our own in place of libhailort, which only tests can reach; test/backends/hailo/stub/stub-hailort.c says what it does. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './temporary.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Of the stubs; it also holds the headers of that of the C++ classes. */
export const STUB_SOURCES = join(ROOT, 'test/backends/hailo/stub');
const SOURCE = join(STUB_SOURCES, 'stub-hailort.c');
const CLASSES_SOURCE = join(STUB_SOURCES, 'stub-infer-model.cpp');
const BRIDGE_SOURCE = join(ROOT, 'native/hailo-bridge/hailo-bridge.cpp');

export interface HailoStub {
  /** Of the library. */
  readonly path: string;
  /** Its calls so far, one a line; empty unless it was told to keep a log. */
  log(): string[];
  /** What to put into the environment of a process that uses it. */
  readonly env: Readonly<Record<string, string>>;
}

/** Why tests with it are skipped; false where they run. */
export function whyNoStub(): string | false {
  if (process.platform !== 'linux') return 'the stub of libhailort is for Linux';
  return spawnSync('cc', ['--version']).status === 0
    ? false
    : 'there is no C compiler (cc) for the stub of libhailort';
}

/** Compiles it into a folder of the test's own. */
export async function compileStub(context: TestContext): Promise<HailoStub> {
  const folder = await temporaryFolder(context);
  const path = join(folder, 'stub-libhailort.so');
  execFileSync('cc', ['-std=gnu11', '-O1', '-shared', '-fPIC', '-pthread', '-o', path, SOURCE]);
  const logPath = join(folder, 'stub-calls.log');
  return {
    path,
    env: { STUB_HAILORT_LOG: logPath },
    log: () => (existsSync(logPath) ? readFileSync(logPath, 'utf8').trimEnd().split('\n') : []),
  };
}

/** Why tests with the bridge are skipped; false where they run. */
export function whyNoBridge(): string | false {
  const why = whyNoStub();
  if (why !== false) return why;
  return spawnSync('c++', ['--version']).status === 0
    ? false
    : 'there is no C++ compiler (c++) for the bridge';
}

export interface BridgedStub extends HailoStub {
  /** The bridge, linked to this stub. */
  readonly bridge: string;
}

/**
 * With the C++ classes, and with a bridge to them that was built for the version 5.2.0 of HailoRT, which the stub claims to be by its `env`,
 * or `version` whatever the environment says.
 */
export async function compileBridgedStub(
  context: TestContext,
  { version }: { readonly version?: string } = {},
): Promise<BridgedStub> {
  const objects = compileObjects();
  const folder = await temporaryFolder(context);
  const [path, bridge] = [join(folder, 'stub-libhailort.so'), join(folder, 'stub-bridge.so')];
  const functions = version === undefined ? objects.functions : join(folder, 'functions.o');
  if (version !== undefined)
    execFileSync('cc', ['-std=gnu11', '-fPIC', `-DSTUB_VERSION="${version}"`, '-c', '-o', functions, SOURCE]);
  link(path, [functions, objects.classes]);
  link(bridge, [objects.bridge, path]);
  const logPath = join(folder, 'stub-calls.log');
  return {
    path,
    bridge,
    env: { STUB_HAILORT_LOG: logPath, STUB_HAILORT_VERSION: '5.2.0', STUB_HAILORT_ARCH: '6' },
    log: () => (existsSync(logPath) ? readFileSync(logPath, 'utf8').trimEnd().split('\n') : []),
  };
}

/** Links parts to a library of their own, as every test counts its own calls. */
function link(path: string, parts: readonly string[]): void {
  execFileSync('c++', ['-shared', '-pthread', '-Wl,--no-undefined', '-o', path, ...parts]);
}

interface Objects {
  readonly functions: string;
  readonly classes: string;
  readonly bridge: string;
}

/** Compiled once in a process, and gone with it. */
let compiled: Objects | undefined;

function compileObjects(): Objects {
  if (compiled !== undefined) return compiled;
  const folder = mkdtempSync(join(tmpdir(), 'percept-stub-'));
  process.once('exit', () => rmSync(folder, { recursive: true }));
  const compile = (name: string, compiler: string, flags: readonly string[]) => {
    const object = join(folder, name);
    execFileSync(compiler, [
      '-O1',
      '-fPIC',
      '-pthread',
      '-Wall',
      '-Wextra',
      '-Werror',
      ...flags,
      '-c',
      '-o',
      object,
    ]);
    return object;
  };
  const cpp = ['-std=c++17', `-I${STUB_SOURCES}`];
  compiled = {
    functions: compile('functions.o', 'cc', ['-std=gnu11', '-Wno-error', SOURCE]),
    classes: compile('classes.o', 'c++', [...cpp, CLASSES_SOURCE]),
    bridge: compile('bridge.o', 'c++', [
      ...cpp,
      '-fvisibility=hidden',
      '-DPERCEPT_FOR_HAILORT={5,2,0}',
      BRIDGE_SOURCE,
    ]),
  };
  return compiled;
}
