/** faster-whisper as a child process that answers one request after another. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Heard } from './measure.ts';

export interface PeerRequest {
  readonly beamSize: number;
  /** 0: the sequential pipeline, which is the library's default. */
  readonly batchSize: number;
  /** Voice activity detection, and windows that do not know the text before; the batched pipeline always does both. */
  readonly isLong: boolean;
}

export interface FasterWhisper {
  transcribe(path: string, request: PeerRequest): Promise<Heard>;
  close(): void;
}

export interface PeerOptions {
  /** The interpreter of an environment with faster-whisper. */
  readonly python: string;
  /** A CTranslate2 directory. */
  readonly model: string;
  readonly computeType: string;
  readonly threads: number;
}

export async function startFasterWhisper(options: PeerOptions): Promise<FasterWhisper> {
  const { python, model, computeType, threads } = options;
  const script = fileURLToPath(new URL('../../bench/faster_whisper_peer.py', import.meta.url));
  const child = spawn(python, [script, model, computeType, String(threads)]);
  let complaint = '';
  child.stderr.on('data', (bytes) => {
    complaint += bytes;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, 'exit').then(() => undefined);
  const answer = async () => {
    const line = await Promise.race([lines.next(), ended]);
    if (line === undefined || line.done) throw new Error(`faster-whisper ended: ${complaint}`);
    return JSON.parse(line.value) as Heard;
  };
  await answer();
  return {
    transcribe(path, request) {
      child.stdin.write(`${JSON.stringify({ path, ...request })}\n`);
      return answer();
    },
    close: () => child.stdin.end(),
  };
}
