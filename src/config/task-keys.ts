/** The keys of recordings that are processed in the background: the queue, and what is done with each. */
import { z } from 'zod';
import { GENERATION_SETTINGS } from './generation.ts';
import { bytes, httpUrl, MIB, note, seconds } from './notes.ts';

export const taskKeys = z.object({
  queue: note(
    z.enum(['sqlite', 'redis']).default('sqlite'),
    'What keeps the tasks: a file in the data directory, or Redis for several machines.',
  ),
  redisUrl: note(
    z
      .url({ protocol: /^rediss?$/, error: 'expected a redis or rediss URL' })
      .default('redis://127.0.0.1:6379/0'),
    'Redis, with the database of the queue.',
    { secret: true, fallback: 'redis://127.0.0.1:6379/0' },
  ),
  redisResultsDb: note(z.int().min(0).max(1_000_000).default(1), 'Its database of tasks and results.'),
  runHere: note(
    z.boolean().default(true),
    '`percept serve` runs tasks too; off where `percept worker` does.',
  ),
  concurrency: note(z.int().min(1).max(64).default(1), 'Tasks that one worker runs at once.'),
  maxQueueDepth: note(
    z.int().min(1).max(1_000_000).default(50),
    'Most recordings that wait; one more is answered 429.',
  ),
  retries: note(
    z.int().min(0).max(20).default(2),
    'How often a task is tried again that failed for a passing reason.',
  ),
  retryDelaySeconds: note(
    seconds(0).default(5),
    'Wait before the first of them; doubled for each further one, and drawn from the upper half of that.',
  ),
  timeoutSeconds: note(seconds(1).default(7200), 'Longest run of one attempt.'),
  heartbeatSeconds: note(
    seconds(0.1).default(2),
    'How often a worker says that it is alive, and learns of a cancellation.',
  ),
  leaseSeconds: note(
    seconds(1).default(30),
    'A task whose worker is silent for so long is given to another; at least three heartbeats.',
  ),
  retentionSeconds: note(
    seconds(60).default(86_400),
    'How long a task, its result and its recording are kept after it has ended.',
  ),
  maxResultBytes: note(bytes(1024).default(16 * MIB), 'Largest result, as JSON.'),
  recordings: note(
    z.enum(['directory', 's3']).default('directory'),
    'Where recordings lie: in a directory that all workers share, or in a bucket.',
  ),
  directory: note(z.string().min(1).default(''), 'The directory of recordings.', {
    fallback: '`audio` in the data directory',
  }),
  s3: z.object({
    endpoint: note(httpUrl().nullable().default(null), 'S3-compatible server.'),
    region: note(z.string().min(1).default('us-east-1'), 'Its region.'),
    bucket: note(z.string().min(1).nullable().default(null), 'The bucket, which must exist.'),
    prefix: note(z.string().default('percept/'), 'What the names of objects begin with.'),
    accessKeyId: note(z.string().min(1).nullable().default(null), 'Access key.', { secret: true }),
    secretAccessKey: note(z.string().min(1).nullable().default(null), 'Its secret.', { secret: true }),
  }),
  webhookSecret: note(
    z.string().trim().min(16).nullable().default(null),
    'What webhooks are signed with (HMAC-SHA256); without it they are not sent, and `webhook_url` is refused.',
    { secret: true },
  ),
  webhookTimeoutSeconds: note(seconds(0.1).default(10), 'Longest wait for the receiver of a webhook.'),
  webhookRetries: note(
    z.int().min(0).max(20).default(5),
    'How often a webhook is sent again that was not taken.',
  ),
  webhookRetryDelaySeconds: note(
    seconds(0).default(10),
    'Wait before the first of them; doubled for each further one, so that five take some ten minutes at most.',
  ),
  webhookHosts: note(
    z.array(z.string().min(1)).default([]),
    'Hosts that webhooks may be sent to; empty: any but link-local addresses, where clouds keep secrets.',
  ),
});

export const pipelineKeys = z.object({
  speechModel: note(z.string().min(1).nullable().default(null), 'Speech model of tasks.', {
    fallback: 'models.speech',
  }),
  wordTimestamps: note(z.boolean().default(false), 'Results hold the segments and the times of words.'),
  minDurationSeconds: note(seconds(0).default(1), 'Shorter recordings are refused.'),
  templatesDirectory: note(
    z.string().min(1).default(''),
    'Summary templates of your own; one with the name of ours takes its place.',
    { fallback: '`templates` in the data directory' },
  ),
  enhancement: z.object(writerKeys('the cleaning of transcripts')),
  summary: z.object({
    ...writerKeys('summaries'),
    retries: note(
      z.int().min(0).max(10).default(2),
      'How often an answer is asked for again that does not obey its template.',
    ),
  }),
});

function writerKeys(work: string) {
  return {
    model: note(z.string().min(1).nullable().default(null), `Language model of ${work}.`, {
      fallback: 'models.language',
    }),
    temperature: own('temperature', { preset: 0 }),
    topP: own('topP'),
    topK: own('topK'),
    repeatPenalty: own('repeatPenalty'),
    maxTokens: own('maxTokens'),
  };
}

/** Of one kind of work; not set, it falls through to `language`. Temperature is 0 there, so that equal recordings have equal results. */
function own(
  name: keyof typeof GENERATION_SETTINGS,
  { preset = null }: { readonly preset?: number | null } = {},
) {
  const { min, max, whole, description } = GENERATION_SETTINGS[name];
  const range = (whole ? z.int() : z.number()).min(min).max(max);
  const fallback =
    preset === null
      ? `language.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`
      : String(preset);
  return note(range.nullable().default(preset), description, { fallback });
}
