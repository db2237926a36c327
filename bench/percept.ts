/** Percept as its command line has it: the server's parts, with a model process of its own. */
import { type App, createApp } from '../src/app.ts';
import { silentLogger } from '../src/base/logger.ts';
import { readLibrivox } from '../src/cli/librivox.ts';
import { timeTranscription } from '../src/cli/timed-transcription.ts';
import { type Environment, readEnvironment } from '../src/config/environment.ts';
import { loadConfig } from '../src/config/load.ts';
import type { Heard, Recording } from './measure.ts';

/** What a benchmark needs on disk. */
export interface Installed {
  /** The name of the model at int8. */
  readonly model: string;
  /** The directory of the checkpoint, to give to a peer. */
  readonly weights: string;
  /** The recordings of the demo. */
  readonly librivox: readonly Recording[];
  /** For a Percept in another process, which then uses the same. */
  readonly env: Environment;
}

export interface Percept extends Installed {
  /** A whole request to a loaded model, from the path of the file to the transcript, through its processes. No beam: the default. */
  transcribe(path: string, request: { readonly beamSize: number | undefined }): Promise<Heard>;
  close(): Promise<void>;
}

/** Pulls and converts the model and the recordings, unless they are there; no process is left. */
export async function install(family: string, threads: number): Promise<Installed> {
  const { app, installed } = await open(family, threads);
  await app.close({ timeoutMs: 0 });
  return installed;
}

/** Installs the model and the recordings; the first request loads it. */
export async function startPercept(family: string, threads: number): Promise<Percept> {
  const { app, installed } = await open(family, threads);
  return {
    ...installed,
    async transcribe(path, { beamSize }) {
      const request = { model: installed.model, task: 'transcribe', beamSize } as const;
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
    close: () => app.close({ timeoutMs: 0 }),
  };
}

async function open(family: string, threads: number): Promise<{ app: App; installed: Installed }> {
  const env = readEnvironment();
  const flags = { 'models.threads': String(threads), 'models.keep_alive': '-1' };
  const { config } = loadConfig({ env, flags });
  const app = createApp({ config, env, logger: silentLogger });
  const model = await app.speech.prepare(`${family}-int8`);
  const { directory } = await app.store.require(family);
  const installed = {
    model,
    weights: directory,
    librivox: await readLibrivox(await app.store.dataset('librivox')),
    env: {
      ...env,
      PERCEPT_HOME: config.home,
      PERCEPT_MODELS_SPEECH: model,
      PERCEPT_MODELS_THREADS: String(threads),
      PERCEPT_MODELS_KEEP_ALIVE: '-1',
    },
  };
  return { app, installed };
}
