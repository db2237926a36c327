/** A Python script of this directory as a child process: one JSON request a line, one JSON answer a line, after a first line when it is ready. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface PythonPeer {
  readonly pid: number;
  /** Requests asked for at once are answered one after the other. Rejects when the process ends. */
  ask(request: Readonly<Record<string, unknown>>): Promise<unknown>;
  close(): void;
}

export interface PeerCommand {
  /** The interpreter of an environment with what the script needs. */
  readonly python: string;
  readonly script: string;
  readonly args: readonly string[];
}

/** The path of a script, from dist/bench/. */
export function scriptPath(name: string): string {
  return fileURLToPath(new URL(`../../bench/${name}`, import.meta.url));
}

/** Resolves when the script is ready. */
export async function startPythonPeer({ python, script, args }: PeerCommand): Promise<PythonPeer> {
  const child = spawn(python, [scriptPath(script), ...args]);
  let complaint = '';
  child.stderr.on('data', (bytes) => {
    complaint += bytes;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, 'exit').then(() => undefined);
  const answer = async () => {
    const line = await Promise.race([lines.next(), ended]);
    if (line === undefined || line.done) throw new Error(`${script} ended: ${complaint}`);
    return JSON.parse(line.value) as unknown;
  };
  await answer();
  return {
    pid: child.pid!,
    ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return answer();
    },
    close: () => child.stdin.end(),
  };
}
