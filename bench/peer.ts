/** A Python peer as a child process that answers one request after another. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Timed {
  readonly seconds: number;
  readonly text: string;
}

export interface Peer {
  transcribe(path: string, beamSize: number): Promise<Timed>;
  close(): void;
}

export interface PeerOptions {
  /** The interpreter of an environment with faster-whisper. */
  readonly python: string;
  readonly model: string;
  readonly computeType: string;
  readonly threads: number;
}

export async function startFasterWhisper({
  python,
  model,
  computeType,
  threads,
}: PeerOptions): Promise<Peer> {
  const script = fileURLToPath(new URL('../../bench/peer.py', import.meta.url));
  const child: ChildProcessWithoutNullStreams = spawn(python, [script, model, computeType, String(threads)]);
  let complaint = '';
  child.stderr.on('data', (bytes) => {
    complaint += bytes;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, 'exit').then(() => undefined);
  const answer = async () => {
    const line = await Promise.race([lines.next(), ended]);
    if (line === undefined || line.done) throw new Error(`The peer ended: ${complaint}`);
    return JSON.parse(line.value) as Timed;
  };
  await answer();
  return {
    transcribe(path, beamSize) {
      child.stdin.write(`${JSON.stringify({ path, beamSize })}\n`);
      return answer();
    },
    close: () => child.stdin.end(),
  };
}
