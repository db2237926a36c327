/** The command line as a child process, with a data directory of its own and no network. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { devNull } from 'node:os';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Environment, readEnvironment } from '../../src/config/environment.ts';
import { temporaryFolder } from './temporary.ts';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandLine {
  run(...words: string[]): Promise<Ended>;
  /** One that goes on; killed after the test. */
  start(...words: string[]): ChildProcess;
}

export async function percept(context: TestContext, changes: Environment = {}): Promise<CommandLine> {
  const env = {
    ...readEnvironment(),
    PERCEPT_HOME: await temporaryFolder(context),
    PERCEPT_OFFLINE: '1',
    ...changes,
  };
  const wordsOf = (words: readonly string[]) => [MAIN, '--config', devNull, ...words];
  return {
    run: (...words) =>
      new Promise((resolve) => {
        execFile(process.execPath, wordsOf(words), { env }, (error, stdout, stderr) =>
          resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
        );
      }),
    start(...words) {
      const child = spawn(process.execPath, wordsOf(words), { env, stdio: ['ignore', 'ignore', 'pipe'] });
      context.after(() => child.kill('SIGKILL'));
      return child;
    },
  };
}
