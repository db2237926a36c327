/** The service over the queue, the recordings and the templates. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { sleep, throwIfAborted } from '../base/abort.ts';
import { AppError } from '../base/errors.ts';
import { RECORDINGS } from '../jobs/lanes.ts';
import { type Queue, WORKER_MEMORY_MS } from '../jobs/queue.ts';
import { hasEnded, type NewTask, type Task, type TaskSummary } from '../jobs/task.ts';
import { checkFileKind, extensionOf } from './file-kinds.ts';
import type { Recordings } from './recordings/recordings.ts';
import type { IntelligenceService, ProcessRequest, ReceivedFile } from './service.ts';
import { type TaskInput, writeTaskInput } from './task-input.ts';
import type { Templates } from './templates.ts';
import { checkWebhookUrl } from './webhooks/address.ts';
import { webhookOf } from './webhooks/deliver.ts';

export interface ServiceParts {
  readonly queue: Queue;
  readonly recordings: Recordings;
  readonly templates: Pick<Templates, 'list' | 'get'>;
  readonly maxWaiting: number;
  readonly webhooks: {
    /** Whether there is a secret to sign them with. */
    readonly areSigned: boolean;
    readonly allowedHosts: readonly string[];
  };
  /** Throws what transcribing with it would: `model_not_found`, an option it has no meaning for. */
  checkSpeech(request: Pick<TaskInput, 'speechModel' | 'language' | 'wordTimestamps'>): Promise<void>;
  /** By the content alone. */
  isRecording(path: string): Promise<boolean>;
}

/** Between two looks at a task that is watched. */
const WATCH_MS = 200;

export function createIntelligenceService(parts: ServiceParts): IntelligenceService {
  const { queue, recordings, templates, webhooks } = parts;

  async function check({ features, templateId, webhookUrl, ...speech }: ProcessRequest): Promise<void> {
    if (features.includes('summary')) {
      await templates.get(templateId ?? undefined);
    }
    if (webhookUrl !== null) {
      if (!webhooks.areSigned) throw webhooksAreOff();
      checkWebhookUrl(webhookUrl, webhooks.allowedHosts);
    }
    await parts.checkSpeech(speech);
  }

  async function accept(file: ReceivedFile, request: ProcessRequest, key: string | undefined): Promise<Task> {
    await check(request);
    if (!(await parts.isRecording(file.path))) throw notARecording();
    const { priority, ...asked } = request;
    const input = writeTaskInput({ ...asked, fileName: file.fileName });
    const task: NewTask = {
      id: randomUUID(),
      lane: RECORDINGS,
      priority,
      input,
      ...(key === undefined
        ? {}
        : { idempotency: { key, fingerprint: await fingerprintOf(file.path, input) } }),
    };
    // First the recording, then the task: a task is never without it, and what lies there without a task is found by the keeper.
    await recordings.keep({ path: file.path, extension: extensionOf(file.fileName), task });
    try {
      const submitted = await queue.submit(task);
      if (!submitted.isNew) await recordings.remove(task.id);
      return submitted.task;
    } catch (error) {
      await recordings.remove(task.id);
      throw error;
    }
  }

  /** Without its output: who watches or cancels a task needs none of it. */
  const look = async (id: string) => ofRecording(await queue.look(id), id);

  async function* watch(id: string, signal: AbortSignal): AsyncIterable<TaskSummary> {
    let task = await look(id);
    yield task;
    while (!hasEnded(task)) {
      await sleep(WATCH_MS, signal);
      const now = await look(id);
      throwIfAborted(signal);
      if (now.revision === task.revision) continue;
      task = now;
      yield task;
    }
  }

  return {
    incoming: () => recordings.incoming(),
    async requireRoom(key) {
      const isKnown = key !== undefined && (await queue.findByKey(RECORDINGS, key)) !== undefined;
      if (!isKnown) await queue.requireRoom(RECORDINGS);
    },
    checkFile: (file) => checkFileKind(file),
    check,
    accept,
    task: async (id) => ofRecording(await queue.get(id), id),
    watch,
    list: (filter) => queue.list({ ...filter, lane: RECORDINGS }),
    async cancel(id) {
      await look(id);
      const task = await queue.cancel(id, webhookOf);
      if (hasEnded(task)) await recordings.markEnded(id);
      return task;
    },
    async retry(id) {
      await look(id);
      const task = await queue.requeue(id);
      await recordings.unmarkEnded(id);
      return task;
    },
    templates: () => templates.list(),
    templateSchema: async (id) => (await templates.get(id)).schema,
    async health() {
      const isConnected = await queue.isConnected();
      const none = { waiting: 0, running: 0 };
      const [depth, workers] = isConnected
        ? await Promise.all([queue.depth(RECORDINGS), queue.workers()]).catch(() => [none, []] as const)
        : ([none, []] as const);
      return {
        isConnected,
        ...depth,
        maxWaiting: parts.maxWaiting,
        hasWorker: workers.some(
          ({ lanes, silentMs }) => lanes.includes(RECORDINGS) && silentMs < WORKER_MEMORY_MS,
        ),
      };
    },
  };
}

/** Of all that decides the result: the recording and what is asked of it. */
async function fingerprintOf(path: string, input: ReturnType<typeof writeTaskInput>): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { end: false });
  const { fileName: _, ...asked } = input;
  return hash
    .update(JSON.stringify(Object.entries(asked).sort(([a], [b]) => (a < b ? -1 : 1))))
    .digest('hex');
}

/** Those of other lanes are nobody's to see. */
function ofRecording<T extends TaskSummary>(task: T | undefined, id: string): T {
  if (task === undefined || task.lane !== RECORDINGS) throw taskNotFound(id);
  return task;
}

function taskNotFound(id: string): AppError {
  return new AppError(
    'task_not_found',
    `There is no task ${id}. It never was, or its retention has ended (tasks.retention_seconds).`,
    { param: 'task_id' },
  );
}

function webhooksAreOff(): AppError {
  return new AppError(
    'invalid_request',
    'Webhooks are off on this server: they are signed, and tasks.webhook_secret is not set. Leave webhook_url out, or set it.',
    { param: 'webhook_url' },
  );
}

function notARecording(): AppError {
  return new AppError(
    'unsupported_audio',
    'The file is no recording that is known by its content. Send WAV, MP3, M4A, FLAC, Ogg, WebM or the like.',
    { param: 'file' },
  );
}
