/** Percept as its command line has it: the server's parts, with a model process of its own. */
import { createApp } from '../src/app.ts';
import { silentLogger } from '../src/base/logger.ts';
import { readLibrivox } from '../src/cli/librivox.ts';
import { timeTranscription } from '../src/cli/timed-transcription.ts';
import { readEnvironment } from '../src/config/environment.ts';
import { loadConfig } from '../src/config/load.ts';
import type { Heard, Recording } from './measure.ts';

export interface Percept {
  /** The directory of the checkpoint, to give to a peer. */
  readonly weights: string;
  /** A whole request to a loaded model, from the path of the file to the transcript, through its processes. No beam: the default. */
  transcribe(path: string, request: { readonly beamSize: number | undefined }): Promise<Heard>;
  /** The recordings of the demo. */
  librivox(): Promise<readonly Recording[]>;
  close(): Promise<void>;
}

/** Pulls, converts and loads the model. */
export async function startPercept(family: string, threads: number): Promise<Percept> {
  const env = readEnvironment();
  const flags = { 'models.threads': String(threads), 'models.keep_alive': '-1' };
  const { config } = loadConfig({ env, flags });
  const app = createApp({ config, env, logger: silentLogger });
  const model = await app.speech.prepare(`${family}-int8`);
  const { directory } = await app.store.require(family);
  return {
    weights: directory,
    async transcribe(path, { beamSize }) {
      const request = { model, task: 'transcribe', beamSize } as const;
      const { signal } = new AbortController();
      const timed = await timeTranscription(app.speech, { path, request }, { signal });
      const { models } = await app.engine.state();
      return {
        seconds: timed.seconds,
        firstSeconds: timed.firstTextSeconds,
        text: timed.transcript.text,
        // Unknown where the system does not tell.
        peakBytes: models[0]?.peakMemoryBytes ?? 0,
      };
    },
    librivox: async () => readLibrivox(await app.store.dataset('librivox')),
    close: () => app.close({ timeoutMs: 0 }),
  };
}
