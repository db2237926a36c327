/** What is asked of a recording: what the queue keeps of POST /v1/process. An older version may have written what is read back. */
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import type { Json } from '../jobs/task.ts';

export const FEATURES = ['raw_transcript', 'clean_transcript', 'summary', 'enhancement_metrics'] as const;
export type Feature = (typeof FEATURES)[number];

export const DEFAULT_FEATURES: readonly Feature[] = ['clean_transcript', 'summary'];

const taskInputSchema = z.strictObject({
  features: z.array(z.enum(FEATURES)).min(1).readonly(),
  /** Always there with `summary`. */
  templateId: z.string().nullable(),
  /** As the client called the file; shown, never used as a path. */
  fileName: z.string(),
  /** Null: the configured speech model. */
  model: z.string().nullable(),
  /** Null: detected. */
  language: z.string().nullable(),
  /** Null: as configured. */
  wordTimestamps: z.boolean().nullable(),
  webhookUrl: z.string().nullable(),
});

export type TaskInput = Readonly<z.output<typeof taskInputSchema>>;

/** Throws `invalid_request` for what another version wrote and this one cannot read. */
export function parseTaskInput(input: Json): TaskInput {
  const parsed = taskInputSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new AppError(
    'invalid_request',
    `The task was submitted by another version of Percept (${z.prettifyError(parsed.error)}). Submit the recording again.`,
  );
}
