/** What a run cost and how sure it was, in the spelling of the contract. All that depends on time is here, and nowhere else in a result. */
import type { HeardSpeech } from './tools.ts';

export interface Metrics {
  readonly input_duration_seconds: number;
  /** Wall time of this attempt. */
  readonly processing_time_seconds: number;
  /** Processing time over duration: below 1 is faster than listening. */
  readonly rtf: number;
  /** Share of the recording that is speech, 0 to 1. */
  readonly vad_coverage: number;
  /** 0 to 1; null where nothing was said. */
  readonly asr_confidence_avg: number | null;
  /** Of raw and clean transcript: edit distance over the longer one's length, in characters; 0 where nothing was cleaned. */
  readonly edit_rate_cleaning: number;
  readonly stages: StageMetrics;
}

/** Seconds, by stage; a stage that was not needed is left out. */
export interface StageMetrics {
  readonly preprocessing?: { readonly seconds: number; readonly format: string };
  /** `is_reused`: an earlier attempt heard the recording. Steps such as `model_loading`, `decoder` have their own seconds. */
  readonly asr?: {
    readonly seconds: number;
    readonly is_reused: boolean;
    readonly steps: { readonly [step: string]: number };
  };
  readonly enhancement?: LlmMetrics & { readonly parts_kept_raw: number };
  readonly summary?: LlmMetrics & { readonly answers: number };
}

export interface LlmMetrics {
  readonly seconds: number;
  /** Until the model answered its first question about tokens: its load, and the wait for room. */
  readonly model_loading_seconds: number;
  readonly parts: number;
}

export interface Measured {
  readonly speech: HeardSpeech;
  readonly processingSeconds: number;
  readonly editRate: number;
  readonly stages: StageMetrics;
}

export function metricsOf({ speech, processingSeconds, editRate, stages }: Measured): Metrics {
  const { durationSeconds, vadCoverage, confidence } = speech;
  return {
    input_duration_seconds: durationSeconds,
    processing_time_seconds: processingSeconds,
    rtf: durationSeconds > 0 ? processingSeconds / durationSeconds : 0,
    vad_coverage: vadCoverage,
    asr_confidence_avg: confidence ?? null,
    edit_rate_cleaning: editRate,
    stages,
  };
}
