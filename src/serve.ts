/** Runs the HTTP server from start to a graceful end. */
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { App } from './app.ts';
import { sleep } from './base/abort.ts';
import { AppError, toAppError } from './base/errors.ts';
import type { Logger } from './base/logger.ts';
import type { Profile } from './config/schema.ts';
import { requireSafeBind } from './server/auth.ts';
import type { Health } from './server/health.ts';
import { createServer, type HttpServer } from './server/server.ts';
import { openUploadDirectory } from './server/uploads.ts';
import { openTasks } from './tasks.ts';
import { readVersion } from './version.ts';

export interface Service {
  /** Where it listens, such as http://127.0.0.1:11437. */
  readonly url: string;
  /** Takes no new request, finishes those under way within the configured time, then ends everything. */
  stop(): Promise<void>;
}

/** The profiles that answer the routes of recordings. */
const HAS_TASKS: readonly Profile[] = ['all', 'maie'];
/** How long after the requests are to be finished their model processes may still take to end. */
const ENGINE_STOP_MS = 3000;
/** A default model that cannot be had now (no network yet) is tried again after this, doubling up to a minute. */
const FIRST_RETRY_MS = 2000;
const LONGEST_RETRY_MS = 60_000;

/** Throws `invalid_config` for an unsafe address and `port_in_use`. */
export async function startService(app: App, logger: Logger): Promise<Service> {
  const { config } = app;
  const version = readVersion();
  requireSafeBind(config.server);
  await app.store.sweep();
  const stopping = new AbortController();
  const first = config.models.preload ? firstModel(app) : undefined;
  const readiness =
    first === undefined ? { reason: undefined } : preload(first, { logger, signal: stopping.signal });
  const tasks = HAS_TASKS.includes(config.profile) ? await openTasks(app, logger) : undefined;
  tasks?.keep();
  const worker = config.tasks.runHere ? tasks?.startWork() : undefined;
  const server = await createServer({
    options: {
      apiKeys: config.server.apiKeys,
      isOpenToAll: config.server.auth === 'none',
      maxUploadBytes: config.server.maxUploadBytes,
      maxHeaderBytes: config.server.maxHeaderBytes,
      maxFields: config.server.maxFields,
      maxJsonBytes: config.server.maxJsonBytes,
      requestTimeoutMs: config.server.requestTimeoutSeconds * 1000,
      realtime: {
        idleTimeoutMs: config.server.liveIdleTimeoutSeconds * 1000,
        maxDurationMs: config.audio.maxDurationSeconds * 1000,
        maxBacklogSeconds: config.server.liveMaxBacklogSeconds,
      },
      images: {
        maxRequestBytes: config.vision.maxRequestBytes,
        maxImageBytes: config.vision.maxImageBytes,
        maxImages: config.vision.maxImages,
        maxTexts: config.vision.maxTexts,
      },
      uploadDirectory: await openUploadDirectory(join(config.home, 'uploads')),
      version,
      profile: config.profile,
    },
    speech: app.speech,
    language: app.language,
    vision: app.vision,
    intelligence: tasks?.intelligence,
    boardQueues: tasks?.boardQueues,
    system: { health: () => healthOf(app), notReady: () => readiness.reason },
    logger,
  });
  const url = await listen(server, config.server).catch(async (error: unknown) => {
    await worker?.stop();
    await tasks?.close();
    throw error;
  });
  logger.info({ url, version, home: config.home }, 'listening');
  return {
    url,
    async stop() {
      logger.info({ stopTimeoutSeconds: config.server.stopTimeoutSeconds }, 'stopping');
      stopping.abort();
      const closed = server.close();
      // Its tasks go back to the queue at once: another worker may go on with them.
      const idle = worker?.stop();
      // The timer must not outlive the requests: it would hold the process.
      const inTime = new AbortController();
      const limit = sleep(config.server.stopTimeoutSeconds * 1000, inTime.signal).catch(() => undefined);
      await Promise.race([closed, limit]);
      inTime.abort();
      await idle;
      await app.close({ timeoutMs: ENGINE_STOP_MS });
      server.server.closeAllConnections();
      await closed;
      await tasks?.close();
      logger.info({}, 'stopped');
    },
  };
}

async function listen(server: HttpServer, { host, port }: { host: string; port: number }): Promise<string> {
  try {
    await server.listen({ host, port });
  } catch (cause) {
    await server.close();
    if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE') {
      throw new AppError(
        'port_in_use',
        `Port ${port} on ${host} is taken by another program. Stop it, or choose another port with --port or PERCEPT_PORT.`,
        { cause },
      );
    }
    throw cause;
  }
  const address = server.server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${name}:${address.port}`;
}

/** Installs and loads the default model beside the server; `reason` says why it does not answer yet. */
function preload(
  { name, service }: FirstModel,
  { logger, signal }: { logger: Logger; signal: AbortSignal },
): { reason: string | undefined } {
  const readiness: { reason: string | undefined } = {
    reason: `The model ${name} is being loaded.`,
  };
  const attempt = async () => {
    for (let pauseMs = FIRST_RETRY_MS; !signal.aborted; pauseMs = Math.min(LONGEST_RETRY_MS, 2 * pauseMs)) {
      try {
        await service.warm(name, signal);
        readiness.reason = undefined;
        return;
      } catch (thrown) {
        if (signal.aborted) return;
        const error = toAppError(thrown);
        readiness.reason = error.message;
        logger.warn({ code: error.code, err: error }, 'the default model cannot be loaded');
        await sleep(pauseMs, signal).catch(() => undefined);
      }
    }
  };
  void attempt();
  return readiness;
}

interface FirstModel {
  readonly name: string;
  readonly service: Pick<App['speech'], 'warm'>;
}

/** Of the profile: what its clients ask for first; undefined where this process never runs it. */
function firstModel({ config, speech, vision }: App): FirstModel | undefined {
  const { profile, models, tasks, pipeline } = config;
  switch (profile) {
    case 'hailo-clip':
      return { name: models.vision, service: vision };
    case 'maie': {
      // Its routes take recordings and answer with results; what hears them may be a worker elsewhere.
      const name = pipeline.speechModel ?? models.speech;
      return tasks.runHere ? { name, service: speech } : undefined;
    }
    case 'hailo-whisper':
    case 'all':
      return { name: models.speech, service: speech };
    default:
      return profile satisfies never;
  }
}

async function healthOf(app: App): Promise<Health> {
  const state = await app.engine.state();
  return {
    queueDepth: state.admitted,
    queueLimit: state.queueDepth,
    workerActive: !state.isClosing,
    models: state.models.map(({ model, state: status, memoryBytes, loadSeconds }) => ({
      name: model,
      state: status,
      memoryBytes,
      loadSeconds,
    })),
  };
}
