/** What makes recordings of the queue into results: the queue, the recordings, the templates and the pipeline, put together for a server or a worker. */
import { join } from 'node:path';
import type { App } from './app.ts';
import { looksLikeRecording } from './audio/recognise-recording.ts';
import type { AppError, ErrorCode } from './base/errors.ts';
import type { Logger } from './base/logger.ts';
import type { Config } from './config/schema.ts';
import { createIntelligenceService } from './intelligence/create-service.ts';
import { startKeeper } from './intelligence/keeper.ts';
import { createPipeline } from './intelligence/pipeline.ts';
import { openDirectoryRecordings } from './intelligence/recordings/directory-recordings.ts';
import type { Recordings } from './intelligence/recordings/recordings.ts';
import type { IntelligenceService } from './intelligence/service.ts';
import { createTemplates } from './intelligence/templates.ts';
import { deliverWebhook, webhookOf } from './intelligence/webhooks/deliver.ts';
import { workOnRecording } from './intelligence/work-on-recording.ts';
import { LANES, RECORDINGS, WEBHOOKS } from './jobs/lanes.ts';
import { openQueue, workerLimits } from './jobs/open-queue.ts';
import type { Queue } from './jobs/queue.ts';
import type { BullQueue } from './jobs/redis-delivery.ts';
import type { RedisQueue } from './jobs/redis-queue.ts';
import { hasEnded } from './jobs/task.ts';
import { startWorker, type WorkerLane } from './jobs/worker.ts';
import { createTools, pipelineSettings, TEMPLATES } from './pipeline-tools.ts';
import { readVersion } from './version.ts';

export interface Tasks {
  readonly intelligence: IntelligenceService;
  readonly queue: Queue;
  /** BullMQ's own, to be shown; undefined where SQLite keeps the tasks. */
  readonly boardQueues: readonly BullQueue[] | undefined;
  /** Submits what the queue forgot and removes what is past its time, again and again until everything is closed. */
  keep(): void;
  /** Takes tasks and runs them, until it is stopped; what runs then is given back. */
  startWork(): { stop(): Promise<void> };
  close(): Promise<void>;
}

const KEEPER_MS = 30_000;
const WEBHOOKS_AT_ONCE = 4;

/** Opens nothing by itself: the queue connects, and the recordings' directory is made, when they are first needed. */
export async function openTasks(app: App, logger: Logger): Promise<Tasks> {
  const { config } = app;
  const { tasks } = config;
  const tools = createTools(app);
  const templates = createTemplates({
    ours: TEMPLATES,
    yours: config.pipeline.templatesDirectory,
    checkSchema: tools.checkSchema,
    logger,
  });
  const retentionMs = tasks.retentionSeconds * 1000;
  const queue = await openQueue({ config, logger });
  const recordings = await openRecordings(config);
  const allowedHosts = tasks.webhookHosts;
  const intelligence = createIntelligenceService({
    queue,
    recordings,
    templates,
    maxWaiting: tasks.maxQueueDepth,
    webhooks: { areSigned: tasks.webhookSecret !== null, allowedHosts },
    checkSpeech: ({ speechModel, language, wordTimestamps }) =>
      app.speech.check({
        model: speechModel ?? config.pipeline.speechModel ?? undefined,
        language: language ?? undefined,
        wordTimestamps: wordTimestamps ?? undefined,
      }),
    isRecording: looksLikeRecording,
  });
  const pipeline = createPipeline({ tools, templates, settings: pipelineSettings(config) });
  const lanes: readonly WorkerLane[] = [
    {
      name: RECORDINGS,
      concurrency: tasks.concurrency,
      limits: workerLimits(tasks, RECORDINGS),
      run: workOnRecording({ pipeline, recordings, logger }),
      isTransient,
      followUps: webhookOf,
      // At once, and not only by the keeper: what ended is not to be taken for a forgotten task if its record goes before that looks.
      async left(id) {
        const task = await queue.look(id);
        if (task !== undefined && hasEnded(task)) await recordings.markEnded(id);
      },
    },
    {
      name: WEBHOOKS,
      concurrency: WEBHOOKS_AT_ONCE,
      limits: workerLimits(tasks, WEBHOOKS),
      run: deliverWebhook({
        queue,
        send: {
          secret: tasks.webhookSecret,
          timeoutMs: tasks.webhookTimeoutSeconds * 1000,
          allowedHosts,
          userAgent: `percept/${readVersion()}`,
          now: () => new Date(),
        },
      }),
      isTransient: ({ code }) => code === 'upstream_failed' || code === 'queue_unavailable',
    },
  ];
  let keeper: { stop(): Promise<void> } | undefined;
  return {
    intelligence,
    queue,
    boardQueues: 'boardQueues' in queue ? (queue as RedisQueue).boardQueues(LANES) : undefined,
    keep() {
      keeper ??= startKeeper({
        queue,
        recordings,
        retentionMs,
        everyMs: Math.min(KEEPER_MS, retentionMs),
        logger,
        now: () => new Date(),
      });
    },
    startWork() {
      logger.info({ queue: tasks.queue, concurrency: tasks.concurrency }, 'taking tasks');
      return startWorker({ queue, lanes, logger });
    },
    async close() {
      await keeper?.stop();
      await queue.close();
      await recordings.close();
    },
  };
}

/** What may be otherwise in a minute. A recording that is none, a model that is not there, memory that is too small are the same then. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  'model_crashed',
  'model_loading',
  'shutting_down',
  'queue_full',
  'upstream_failed',
  'download_failed',
  'queue_unavailable',
  'disk_full',
]);

function isTransient({ code }: AppError): boolean {
  return TRANSIENT.has(code);
}

async function openRecordings({ home, tasks }: Config): Promise<Recordings> {
  if (tasks.recordings === 'directory') return openDirectoryRecordings(tasks.directory);
  const { openS3Recordings } = await import('./intelligence/recordings/s3-recordings.ts');
  const { endpoint, region, bucket, prefix, accessKeyId, secretAccessKey } = tasks.s3;
  return openS3Recordings({
    endpoint: endpoint ?? undefined,
    region,
    // loadConfig has seen that it is there.
    bucket: bucket!,
    prefix,
    credentials:
      accessKeyId === null || secretAccessKey === null ? undefined : { accessKeyId, secretAccessKey },
    directory: join(home, 'recordings'),
  });
}
