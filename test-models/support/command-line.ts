/** The real command line as a child process. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { Environment } from '../../src/config/environment.ts';
import { NO_CONFIG_FILE, testEnvironment } from './home.ts';
import { MAIN } from './service.ts';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** Ctrl-C: the terminal sends it to the command and to every process that it has started. */
  interrupt(): void;
}

/** `input` is its standard input, which `isEndless` keeps open behind it; without it there is none. */
export interface Input {
  readonly input: Uint8Array;
  readonly isEndless?: boolean;
}

export function startPercept(words: readonly string[], env: Environment = {}, stdin?: Input): Started {
  const child = spawn(process.execPath, [MAIN, '--config', NO_CONFIG_FILE, ...words], {
    env: testEnvironment(env),
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    // A process group of its own, as in a shell.
    detached: true,
  });
  child.stdin?.write(stdin!.input);
  if (stdin?.isEndless !== true) child.stdin?.end();
  const code = new Promise<number | null>((resolve) => {
    child.once('exit', resolve);
  });
  const written = Promise.all([code, text(child.stdout!), text(child.stderr!)]);
  return {
    pid: child.pid!,
    ended: written.then(([code, stdout, stderr]) => ({ code, stdout, stderr })),
    interrupt: () => process.kill(-child.pid!, 'SIGINT'),
  };
}

/** Runs one command to its end. */
export function percept(words: readonly string[], env: Environment = {}, stdin?: Input): Promise<Ended> {
  return startPercept(words, env, stdin).ended;
}
