/** What is asked of a recording, as the queue keeps it. */
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import type { Json } from '../jobs/task.ts';

export const FEATURES = ['raw_transcript', 'clean_transcript', 'summary', 'enhancement_metrics'] as const;
export type Feature = (typeof FEATURES)[number];
/** Where a client does not say. */
export const DEFAULT_FEATURES: readonly Feature[] = ['clean_transcript', 'summary'];

/** Raised where an input that an older version wrote means something else now. */
const FORMAT = 1;

const inputSchema = z.strictObject({
  format: z.literal(FORMAT),
  features: z.array(z.enum(FEATURES)).min(1),
  /** Of the summary; null where none is asked. */
  templateId: z.string().nullable(),
  /** As the client wrote it; null: detected. */
  language: z.string().nullable(),
  /** Null: the configured one. */
  speechModel: z.string().nullable(),
  /** Null: as configured. */
  wordTimestamps: z.boolean().nullable(),
  /** As the client named the file, for people; never a path. */
  fileName: z.string().nullable(),
});

export type TaskInput = Readonly<Omit<z.output<typeof inputSchema>, 'format' | 'features'>> & {
  readonly features: readonly Feature[];
};

/** In the order of `FEATURES`, each once: equal wishes are equal JSON. */
export function writeTaskInput(input: TaskInput): { readonly [key: string]: Json } {
  const features = FEATURES.filter((feature) => input.features.includes(feature));
  return { format: FORMAT, ...input, features };
}

/** Throws `invalid_request` for what another version wrote and this one does not understand. */
export function readTaskInput(json: Json): TaskInput {
  const read = inputSchema.safeParse(json);
  if (read.success) {
    const { format: _, ...input } = read.data;
    return input;
  }
  const [issue] = read.error.issues;
  throw new AppError(
    'invalid_request',
    `The task was written by another version of Percept (${issue?.path.join('.') || 'input'}: ${issue?.message}). Send the recording again.`,
    { cause: read.error },
  );
}
