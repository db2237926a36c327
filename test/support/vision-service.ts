/** A real service with the golden CLIP of random weights as its default vision model: nothing is downloaded. */
import { devNull } from 'node:os';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { createApp } from '../../src/app.ts';
import { proxySettings, readEnvironment } from '../../src/config/environment.ts';
import { loadConfig } from '../../src/config/load.ts';
import { startService } from '../../src/serve.ts';
import { openStore } from '../../src/store/store.ts';
import { clipCheckpoint, type Layout } from './clip.ts';
import { temporaryFolder } from './temporary.ts';

export const VISION_MODEL = 'golden';

export interface VisionUnderTest {
  readonly url: string;
  post(path: string, body: unknown): Promise<{ readonly status: number; readonly json: Answer }>;
}

/** As much of any answer as tests read. */
export type Answer = Readonly<Record<string, unknown>> & {
  readonly error?: { readonly code: string; readonly message: string; readonly param: string | null };
};

export async function visionService(
  context: TestContext,
  {
    layout = 'huggingface',
    directory,
    env = {},
  }: {
    readonly layout?: Layout;
    /** A model in place of the golden one. */
    readonly directory?: string;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<VisionUnderTest> {
  const home = await temporaryFolder(context);
  const environment = {
    ...readEnvironment(),
    PERCEPT_HOME: home,
    PERCEPT_OFFLINE: '1',
    PERCEPT_SERVER_PORT: '0',
    PERCEPT_MODELS_PRELOAD: 'false',
    PERCEPT_MODELS_VISION: VISION_MODEL,
    ...env,
  };
  const { config } = loadConfig({ env: environment, flags: {}, configFile: devNull });
  const store = openStore({ ...config, proxy: proxySettings(environment) });
  await store.import(VISION_MODEL, directory ?? (await clipCheckpoint(context, layout)));
  await store.close();
  const logger = pino({ level: 'silent' });
  const service = await startService(createApp({ config, env: environment, logger }), logger);
  context.after(() => service.stop());
  return {
    url: service.url,
    async post(path, body) {
      const response = await fetch(`${service.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, json: (await response.json()) as Answer };
    },
  };
}
