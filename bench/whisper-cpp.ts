/** whisper.cpp on our weights, as its Python package pywhispercpp runs it. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Heard } from './measure.ts';
import { scriptPath, startPythonPeer } from './python-peer.ts';

export interface WhisperCpp {
  transcribe(path: string, request: { readonly beamSize: number }): Promise<Heard>;
  close(): Promise<void>;
}

export interface WhisperCppOptions {
  /** The interpreter of an environment with pywhispercpp, and with faster-whisper, whose mel filters the file of weights carries. */
  readonly python: string;
  /** A CTranslate2 directory. */
  readonly model: string;
  readonly threads: number;
}

/** Writes the weights as ggml at q8_0 into a temporary directory first. */
export async function startWhisperCpp({ python, model, threads }: WhisperCppOptions): Promise<WhisperCpp> {
  const folder = await mkdtemp(join(tmpdir(), 'percept-bench-ggml-'));
  try {
    const weights = join(folder, 'model.bin');
    await promisify(execFile)(python, [scriptPath('ggml_weights.py'), model, weights]);
    const args = [weights, String(threads)];
    const peer = await startPythonPeer({ python, script: 'whisper_cpp_peer.py', args });
    return {
      transcribe: async (path, { beamSize }) => (await peer.ask({ path, beamSize })) as Heard,
      close: () => {
        peer.close();
        return rm(folder, { recursive: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true });
    throw error;
  }
}
