/** Recordings on a real queue and a real directory, without models: what is done with a recording is the test's own. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { looksLikeRecording } from '../../src/audio/recognise-recording.ts';
import { AppError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { createIntelligenceService, type ServiceParts } from '../../src/intelligence/create-service.ts';
import { openDirectoryRecordings } from '../../src/intelligence/recordings/directory-recordings.ts';
import type { Recordings } from '../../src/intelligence/recordings/recordings.ts';
import type { IntelligenceService } from '../../src/intelligence/service.ts';
import { createTemplates } from '../../src/intelligence/templates.ts';
import type { Work } from '../../src/jobs/attempt.ts';
import { RECORDINGS } from '../../src/jobs/lanes.ts';
import type { Queue, QueueLimits } from '../../src/jobs/queue.ts';
import { openSqliteQueue } from '../../src/jobs/sqlite-queue.ts';
import { startWorker, type Worker } from '../../src/jobs/worker.ts';
import { TEMPLATES } from '../../src/pipeline-tools.ts';
import { temporaryFolder } from './temporary.ts';

export interface IntelligenceUnderTest {
  readonly service: IntelligenceService;
  readonly queue: Queue;
  readonly recordings: Recordings;
  /** Names in the directory of recordings, but for that of uploads. */
  kept(): Promise<string[]>;
  /** Files of uploads on their way. */
  incoming(): Promise<string[]>;
  startWorker(run: Work): Worker;
}

export async function startIntelligence(
  context: TestContext,
  given: { readonly limits?: Partial<QueueLimits>; readonly parts?: Partial<ServiceParts> } = {},
): Promise<IntelligenceUnderTest> {
  const root = await temporaryFolder(context);
  const audio = join(root, 'audio');
  const limits: QueueLimits = {
    maxWaiting: { [RECORDINGS]: 50 },
    maxOutputBytes: 16 * 1024 ** 2,
    leaseMs: 30_000,
    retentionMs: 60_000,
    ...given.limits,
  };
  await mkdir(join(root, 'templates'));
  await writeFile(join(root, 'templates', 'broken_v1.json'), '{"type": ');
  const queue = openSqliteQueue({ directory: root, limits });
  const recordings = openDirectoryRecordings(audio);
  context.after(() => queue.close());
  const service = createIntelligenceService({
    queue,
    recordings,
    templates: createTemplates({
      ours: TEMPLATES,
      yours: join(root, 'templates'),
      checkSchema: async () => {},
      logger: silentLogger,
    }),
    maxWaiting: limits.maxWaiting[RECORDINGS]!,
    webhooks: { areSigned: true, allowedHosts: [] },
    async checkSpeech({ speechModel }) {
      if (speechModel === 'nonsense')
        throw new AppError('model_not_found', 'There is no model nonsense.', { param: 'model' });
    },
    isRecording: looksLikeRecording,
    ...given.parts,
  });
  return {
    service,
    queue,
    recordings,
    kept: async () => (await readdir(audio).catch(() => [])).filter((name) => name !== '.incoming'),
    incoming: async () => readdir(await recordings.incoming()),
    startWorker(run) {
      const worker = startWorker({
        queue,
        lanes: [
          {
            name: RECORDINGS,
            concurrency: 1,
            run,
            limits: { heartbeatMs: 50, leaseMs: 30_000, retries: 2, retryDelayMs: 10, timeoutMs: 60_000 },
            isTransient: () => false,
          },
        ],
        logger: silentLogger,
      });
      context.after(() => worker.stop());
      return worker;
    },
  };
}
