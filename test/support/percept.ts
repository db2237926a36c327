/** The command line as a child process, with a data directory of its own and no network. */
import { execFile } from 'node:child_process';
import { devNull } from 'node:os';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readEnvironment } from '../../src/config/environment.ts';
import { temporaryFolder } from './temporary.ts';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function percept(context: TestContext): Promise<{ run(...words: string[]): Promise<Ended> }> {
  const env = { ...readEnvironment(), PERCEPT_HOME: await temporaryFolder(context), PERCEPT_OFFLINE: '1' };
  return {
    run: (...words) =>
      new Promise((resolve) => {
        execFile(process.execPath, [MAIN, '--config', devNull, ...words], { env }, (error, stdout, stderr) =>
          resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
        );
      }),
  };
}
