import type { Heard } from './measure.ts';
import { startPythonPeer } from './python-peer.ts';

export interface PeerRequest {
  readonly beamSize: number;
  /** 0: the sequential pipeline, which is the library's default. */
  readonly batchSize: number;
  /** Voice activity detection, and windows that do not know the text before; the batched pipeline always does both. */
  readonly isLong: boolean;
}

export interface FasterWhisper {
  readonly pid: number;
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
  const args = [model, computeType, String(threads)];
  const peer = await startPythonPeer({ python, script: 'faster_whisper_peer.py', args });
  return {
    pid: peer.pid,
    transcribe: async (path, request) => (await peer.ask({ path, ...request })) as Heard,
    close: peer.close,
  };
}
