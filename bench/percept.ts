/** Percept as its command line has it: the server's parts, with a model process of its own. */
import { readFileSync } from 'node:fs';
import { createApp } from '../src/app.ts';
import { silentLogger } from '../src/base/logger.ts';
import { readLibrivox } from '../src/cli/librivox.ts';
import { readEnvironment } from '../src/config/environment.ts';
import { loadConfig } from '../src/config/load.ts';
import { childProcessIds } from '../test/support/processes.ts';
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
      const started = performance.now();
      const since = () => (performance.now() - started) / 1000;
      let firstSeconds: number | undefined;
      const { text } = await app.speech.transcribe(
        path,
        { model, task: 'transcribe', beamSize },
        {
          signal: new AbortController().signal,
          onEvent: ({ type }) => {
            if (type === 'segment') firstSeconds ??= since();
          },
        },
      );
      const seconds = since();
      return { seconds, firstSeconds: firstSeconds ?? seconds, text, peakBytes: modelPeakBytes() };
    },
    librivox: async () => readLibrivox(await app.store.dataset('librivox')),
    close: () => app.close({ timeoutMs: 0 }),
  };
}

/** What the model process has held at most; 0 where the system does not tell. */
function modelPeakBytes(): number {
  if (process.platform !== 'linux') return 0;
  const models = childProcessIds().filter((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('model-process'),
  );
  const peaks = models.map((pid) => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  });
  return Math.max(0, ...peaks);
}
