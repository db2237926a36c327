/**
 * Where recordings lie until their tasks' retention ends: a directory that all hosts share, or a bucket. Each has a manifest of its task beside
 * it, so that a queue that forgot a task (Redis killed before its log was written) can be told of it again.
 */
import { z } from 'zod';
import type { NewTask } from '../../jobs/task.ts';
import { PRIORITIES } from '../../jobs/task.ts';

export interface Recordings {
  /** A directory of this process for uploads on their way; where moving them into place is cheap. */
  incoming(): Promise<string>;
  /** Takes an upload, which is gone from its path then. On the disk of the store when it resolves; whole or not at all. Throws `disk_full`. */
  keep(upload: KeptUpload): Promise<void>;
  /** For one attempt at its task. Throws `not_found` when it is not there. */
  open(id: string, signal: AbortSignal): Promise<OpenRecording>;
  /** Notes that its task has ended, so that its recording is not taken for one of a forgotten task later. */
  markEnded(id: string): Promise<void>;
  /** Takes that note back, as its task is to run again. */
  unmarkEnded(id: string): Promise<void>;
  list(): AsyncIterable<StoredRecording>;
  /** Removes what attempts left behind that were killed; only for a task that does not run. */
  removeWork(id: string): Promise<void>;
  /** Removes all of it; safe to call twice. */
  remove(id: string): Promise<void>;
  /** Removes uploads that were never finished, some time after. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

export interface KeptUpload {
  readonly path: string;
  /** Of the file's name, with the dot, lower case, such as `.mp3`. */
  readonly extension: string;
  readonly task: NewTask;
}

export interface OpenRecording {
  /** A local file, to be read only. */
  readonly path: string;
  /** A directory of this attempt alone. */
  readonly workDirectory: string;
  /** Removes the work directory. */
  close(): Promise<void>;
}

export interface StoredRecording {
  readonly id: string;
  readonly keptAt: Date;
  /** When that was noted. */
  readonly endedAt: Date | undefined;
  /** Of its manifest; undefined where that cannot be read. */
  task(): Promise<NewTask | undefined>;
}

export const MANIFEST = 'task.json';
/** Says by being there that the task has ended. */
export const ENDED = 'ended';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function isTaskId(name: string): boolean {
  return UUID.test(name);
}

const manifestSchema = z.object({
  version: z.literal(1),
  task: z.object({
    id: z.string().regex(UUID),
    lane: z.string(),
    priority: z.enum(PRIORITIES),
    input: z.json(),
    idempotency: z.object({ key: z.string(), fingerprint: z.string() }).optional(),
  }),
});

export function manifestText(task: NewTask): string {
  return `${JSON.stringify({ version: 1, task })}\n`;
}

/** Undefined for a text that is no manifest, or another recording's. */
export function parseManifest(text: string, id: string): NewTask | undefined {
  const parsed = manifestSchema.safeParse(jsonOf(text));
  return parsed.success && parsed.data.task.id === id ? parsed.data.task : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
