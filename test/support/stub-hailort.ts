/** A library of our own in place of libhailort, which only tests can reach; test/backends/hailo/stub/stub-hailort.c says what it does. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './temporary.ts';

const SOURCE = fileURLToPath(new URL('../../../test/backends/hailo/stub/stub-hailort.c', import.meta.url));

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
