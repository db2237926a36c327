/** The real `percept serve` as a child process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../../src/config/environment.ts';
import { uploadDirectoryOf } from '../../src/server/uploads.ts';
import { childProcessIds, eventually } from '../../test/support/processes.ts';
import { NO_CONFIG_FILE, testEnvironment, testHome } from './home.ts';

export const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

export interface RunningService {
  readonly url: string;
  readonly pid: number;
  /** Lines of the log so far, parsed. */
  readonly lines: readonly LogLine[];
  /** Process ids of its loaded models. */
  modelProcessIds(): number[];
  /** Files of uploads on their way, by their paths below the upload directory. */
  uploads(): Promise<string[]>;
  health(): Promise<{ readonly status: number; readonly queueDepth: number }>;
  /** SIGTERM; throws unless it ends with exit code 0. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export type LogLine = Readonly<Record<string, unknown>>;

export interface ServiceOptions {
  readonly env?: Environment;
}

/** Starts a service and waits until its default model answers, or with `PERCEPT_MODELS_PRELOAD=false`, until it listens. */
export async function startService({ env = {} }: ServiceOptions = {}): Promise<RunningService> {
  const child = spawn(process.execPath, [MAIN, '--config', NO_CONFIG_FILE, 'serve', '--port', '0'], {
    env: testEnvironment(env),
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const lines: LogLine[] = [];
  const url = await Promise.race([listening(child, lines), earlyEnd(child, lines)]);
  const service = describe(child, { url, lines });
  try {
    await eventually(async () => (await fetch(`${url}/health/ready`)).status === 200, 'the service is ready');
  } catch (error) {
    await service.kill();
    throw error;
  }
  return service;
}

/** A service for all tests of a file, ended after them; nothing is started when there is a reason to skip. */
export function serviceOfFile(skip: string | false, options: ServiceOptions = {}): () => RunningService {
  let service: RunningService | undefined;
  before(async () => {
    if (skip === false) service = await startService(options);
  });
  after(() => service?.stop());
  return () => service!;
}

async function listening(child: ChildProcess, lines: LogLine[]): Promise<string> {
  return new Promise((resolve) => {
    createInterface({ input: child.stderr! }).on('line', (text) => {
      const line = parseLine(text);
      lines.push(line);
      if (line['msg'] === 'listening') resolve(String(line['url']));
    });
  });
}

/** A line that is not the log's own, such as a stack trace of Node, is kept as its text. */
function parseLine(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { msg: text };
  }
}

async function earlyEnd(child: ChildProcess, lines: readonly LogLine[]): Promise<never> {
  const [code, signal] = await once(child, 'exit');
  throw new Error(`The service ended (${code ?? signal}): ${JSON.stringify(lines.slice(-3))}`);
}

function describe(
  child: ChildProcess,
  { url, lines }: { url: string; lines: readonly LogLine[] },
): RunningService {
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
  const pid = child.pid!;
  const end = (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return ended;
  };
  return {
    url,
    pid,
    lines,
    modelProcessIds: () => childProcessIds(pid),
    async uploads() {
      const directory = uploadDirectoryOf(join(testHome(), 'uploads'), pid);
      return existsSync(directory) ? readdir(directory, { recursive: true }) : [];
    },
    async health() {
      const response = await fetch(`${url}/health`);
      const body = (await response.json()) as { queue_depth: number };
      return { status: response.status, queueDepth: body.queue_depth };
    },
    async stop() {
      const [code, signal] = await end('SIGTERM');
      if (code !== 0) throw new Error(`The service ended with ${code ?? signal}, expected 0.`);
    },
    async kill() {
      await end('SIGKILL');
    },
  };
}
