/** What the pipeline gives, as the queue keeps it: partly while it runs and after it failed, all of it when it is complete. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Json } from '../jobs/task.ts';
import type { Metrics } from './metrics.ts';
import type { Feature, TaskInput } from './task-input.ts';
import type { AsrVersion, HeardSegment, HeardSpeech } from './tools.ts';
import type { Versions } from './versions.ts';

export interface TaskOutput {
  readonly results: Results;
  readonly versions: Versions;
  readonly metrics: Metrics;
  /** For another attempt; gone when the task is complete. */
  readonly heard?: Heard;
}

/** Those that were asked for. Of a task that is not complete also the raw transcript, asked for or not, since it is all that there is. */
export interface Results {
  readonly raw_transcript?: string;
  readonly clean_transcript?: string;
  /** Valid by its template; null where nothing was said. */
  readonly summary?: Json;
  readonly enhancement_metrics?: EnhancementMetrics;
  /** Where word times were asked for. */
  readonly segments?: readonly ResultSegment[];
}

export interface EnhancementMetrics {
  /** Edit distance of raw and clean transcript over the longer one's length, 0 to 1. */
  readonly edit_rate: number;
  /** False where no model cleaned anything: not asked for, not needed, or nothing said. */
  readonly is_enhanced: boolean;
  readonly parts: number;
  /** Parts that stayed as they were heard, since no answer kept their words. */
  readonly parts_kept_raw: number;
}

export interface ResultSegment {
  /** In seconds. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly words: readonly { readonly word: string; readonly start: number; readonly end: number }[];
}

/** What was heard, and of what: the same recording, asked for in the same way. */
export interface Heard {
  readonly sourceBytes: number;
  readonly speech: HeardSpeech;
}

export function resultsOf(
  { features }: Pick<TaskInput, 'features'>,
  all: Omit<Results, 'segments'>,
  segments: readonly HeardSegment[] | undefined,
): Results {
  const asked = Object.entries(all).filter(([name]) => features.includes(name as Feature));
  return { ...Object.fromEntries(asked), ...(segments && { segments: segments.map(wireSegment) }) };
}

/** As JSON: what is undefined is left out. */
export function writeOutput(output: TaskOutput): Json {
  return JSON.parse(JSON.stringify(output)) as Json;
}

const seconds = z.number();
const segmentSchema = z.object({ startSeconds: seconds, endSeconds: seconds, text: z.string() });
const heardSchema = z.object({
  sourceBytes: z.number(),
  speech: z.object({
    text: z.string(),
    language: z.string(),
    segments: z.array(segmentSchema.extend({ words: z.array(segmentSchema).optional() })),
    durationSeconds: seconds,
    vadCoverage: z.number(),
    confidence: z.number().optional(),
    isPunctuated: z.boolean(),
    timings: z.record(z.string(), seconds),
    version: z.record(z.string(), z.unknown()),
  }),
});

/**
 * What an earlier attempt heard, if it would be heard again: of a file of that length, by these versions. Undefined for anything that
 * does not match or cannot be read; it is heard again then.
 */
export function reusable(
  output: Json | undefined,
  { sourceBytes, version }: { readonly sourceBytes: number; readonly version: AsrVersion },
): HeardSpeech | undefined {
  const read = z.object({ heard: heardSchema }).safeParse(output);
  if (!read.success) return undefined;
  const { heard } = read.data;
  const isSame =
    heard.sourceBytes === sourceBytes && isDeepStrictEqual(heard.speech.version, asJson(version));
  return isSame ? ({ ...heard.speech, version } as HeardSpeech) : undefined;
}

/** As it comes back from the queue: without what is undefined. */
function asJson(value: AsrVersion): unknown {
  return JSON.parse(JSON.stringify(value));
}

function wireSegment({ startSeconds, endSeconds, text, words = [] }: HeardSegment): ResultSegment {
  return {
    start: startSeconds,
    end: endSeconds,
    text,
    words: words.map((word) => ({ word: word.text, start: word.startSeconds, end: word.endSeconds })),
  };
}
