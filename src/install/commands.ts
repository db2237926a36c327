/** Programs of the system that the installer calls. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../base/errors.ts';

export interface Finished {
  /** Undefined where it was killed, or could not be started. */
  readonly code: number | undefined;
  readonly output: string;
}

/** No command here needs longer; systemd gives a service TimeoutStartSec before it gives up. */
const TIMEOUT_MS = 180_000;
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** Whatever the shell of the operator is set to, their messages are read. */
const ENVIRONMENT = { PATH: FOLDERS.join(':'), LC_ALL: 'C.UTF-8', SYSTEMD_COLORS: '0' };

export function findProgram(name: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Whether systemd runs this machine: as sd_booted(3) tells it. */
export function isSystemdRunning(): boolean {
  return existsSync('/run/systemd/system');
}

/** As another user where one is given. */
export function ask(
  program: string,
  words: readonly string[],
  user: { readonly uid?: number; readonly gid?: number } = {},
): Promise<Finished> {
  return new Promise((resolve) => {
    execFile(
      program,
      [...words],
      { env: ENVIRONMENT, timeout: TIMEOUT_MS, ...user },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : undefined;
        resolve({ code, output: `${stdout}${stderr}`.trim() });
      },
    );
  });
}

/** Throws `not_runnable` with what it said, unless it ends with 0. */
export async function must(program: string, words: readonly string[]): Promise<void> {
  const { code, output } = await ask(program, words);
  if (code === 0) return;
  throw new AppError(
    'not_runnable',
    `${[program, ...words].join(' ')} ended with ${code ?? 'a signal'}: ${output || 'no message'}. Correct that, and run this again: it goes on where it was.`,
  );
}
