/** A recording to what was asked of it: prepared, heard, cleaned and summarised, one stage after the other. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../base/errors.ts';
import type { Json } from '../jobs/task.ts';
import { pausesOf } from './cut-text.ts';
import { editRate } from './edit-distance.ts';
import { enhance } from './enhance.ts';
import { metricsOf, type StageMetrics } from './metrics.ts';
import { openReporter, type RunUpdate, type Stage } from './reporter.ts';
import { summarise } from './summarise.ts';
import { readTaskInput, type TaskInput } from './task-input.ts';
import { type EnhancementMetrics, resultsOf, reusable, type TaskOutput, writeOutput } from './task-output.ts';
import type { Templates } from './templates.ts';
import type { HeardSpeech, HearingRequest, Tools } from './tools.ts';
import { enhancementVersion, type LlmVersion, summaryVersion, versionsOf } from './versions.ts';
import { openWriter, type Writer, type WriterSettings } from './writer.ts';

export interface PipelineSettings {
  /** Undefined: the configured default of speech. */
  readonly speechModel: string | undefined;
  readonly wordTimestamps: boolean;
  readonly minDurationSeconds: number;
  readonly enhancement: WriterSettings;
  readonly summary: WriterSettings & { readonly retries: number };
}

export interface PipelineParts {
  readonly tools: Tools;
  readonly templates: Templates;
  readonly settings: PipelineSettings;
}

export interface RunContext {
  /** Path of the recording. */
  readonly source: string;
  /** A directory of this attempt's own; what lies there afterwards is rubbish. */
  readonly scratch: string;
  /** What an earlier attempt at the same task has given. */
  readonly earlier?: Json | undefined;
  readonly signal: AbortSignal;
  /** Told at every new stage, every hundredth of one, and when there is more output; what it throws ends the run. */
  update(change: RunUpdate): Promise<void>;
}

export interface Pipeline {
  /**
   * `input` is what `writeTaskInput` made, the output a `TaskOutput`. Throws `audio_too_short`, `missing_template`, `invalid_template`,
   * `context_exceeded`, `invalid_output`, `output_truncated` and what preparing, hearing and writing may throw; the last output that was
   * told stands then.
   */
  run(input: Json, context: RunContext): Promise<Json>;
}

export function createPipeline({ tools, templates, settings }: PipelineParts): Pipeline {
  return {
    async run(json, context) {
      const input = readTaskInput(json);
      // A task that cannot end well is not begun.
      if (input.features.includes('summary')) await templates.get(input.templateId ?? undefined);
      const reporter = openReporter(context);
      try {
        const run = new Run({ tools, templates, settings }, input, { ...context, ...reporter });
        return await run.all();
      } finally {
        reporter.close();
      }
    },
  };
}

interface Running extends RunContext {
  begin(stage: Stage): Promise<void>;
  progress(share: number): void;
  tell(output: Json): Promise<void>;
}

/** One attempt. What is known grows stage by stage, and is told after each. */
class Run {
  readonly #parts: PipelineParts;
  readonly #input: TaskInput;
  readonly #context: Running;
  readonly #began = performance.now();
  #stages: StageMetrics = {};
  /** Undefined until the recording was heard. */
  #speech: HeardSpeech | undefined;
  #sourceBytes = 0;
  /** Undefined until it is known; the raw one where nothing is to be cleaned. */
  #cleanText: string | undefined;
  #editRate = 0;
  #enhancement: EnhancementMetrics = { edit_rate: 0, is_enhanced: false, parts: 0, parts_kept_raw: 0 };
  #enhancementVersion: LlmVersion | undefined;
  #summary: Json | undefined;
  #summaryVersion: LlmVersion | undefined;

  constructor(parts: PipelineParts, input: TaskInput, context: Running) {
    this.#parts = parts;
    this.#input = input;
    this.#context = context;
  }

  async all(): Promise<Json> {
    const { features } = this.#input;
    await this.#hear();
    const isSaid = this.#speech!.text !== '';
    const mustClean = isSaid && features.includes('clean_transcript') && !this.#speech!.isPunctuated;
    const mustSummarise = isSaid && features.includes('summary');
    if (mustClean || mustSummarise) await this.#begin('PROCESSING_LLM');
    if (mustClean) await this.#clean(mustSummarise ? 0.5 : 1);
    this.#cleanText ??= this.#speech!.text;
    if (mustSummarise) {
      if (mustClean) await this.#context.tell(this.#output({ isComplete: false }));
      await this.#summarise(mustClean ? 0.5 : 0);
    }
    this.#summary ??= null;
    return this.#output({ isComplete: true });
  }

  async #hear(): Promise<void> {
    const { tools, settings } = this.#parts;
    const { source, scratch, signal, earlier } = this.#context;
    const request: HearingRequest = {
      model: this.#input.speechModel ?? settings.speechModel,
      language: this.#input.language ?? undefined,
      wordTimestamps: this.#wordTimestamps,
    };
    this.#sourceBytes = (await stat(source)).size;
    if (earlier !== undefined) {
      const version = await tools.hearingVersion(request, { signal });
      this.#speech = reusable(earlier, { sourceBytes: this.#sourceBytes, version });
      if (this.#speech !== undefined) {
        const { timings } = this.#speech;
        this.#stages = { asr: { seconds: 0, is_reused: true, steps: timings } };
        return;
      }
    }
    await this.#begin('PREPROCESSING');
    const preparing = stopwatch();
    const prepared = await tools.prepare(source, join(scratch, 'speech.wav'), { signal });
    requireDuration(prepared.durationSeconds, settings.minDurationSeconds);
    this.#stages = { preprocessing: { seconds: preparing(), format: prepared.format } };

    await this.#begin('PROCESSING_ASR');
    const hearing = stopwatch();
    const onProgress = (share: number) => this.#context.progress(share);
    this.#speech = await tools.transcribe(prepared.path, request, { signal, onProgress });
    const { timings } = this.#speech;
    this.#stages = { ...this.#stages, asr: { seconds: hearing(), is_reused: false, steps: timings } };
    await this.#context.tell(this.#output({ isComplete: false }));
  }

  /** `share`: of the stage's progress. */
  async #clean(share: number): Promise<void> {
    const { tools, templates, settings } = this.#parts;
    const { signal } = this.#context;
    const { text, language } = this.#speech!;
    const cleaning = stopwatch();
    const prompt = await templates.prompt('text_enhancement_v1');
    const { writer, loadingSeconds } = timedWriter(openWriter(tools.language, settings.enhancement, signal));
    const enhanced = await enhance({ text, language, pauses: this.#pauses }, writer, {
      prompt,
      maxTokens: settings.enhancement.settings.maxTokens,
      signal,
      onProgress: (done) => this.#context.progress(done * share),
    });
    this.#cleanText = enhanced.text;
    this.#editRate = await editRate(text, enhanced.text, signal);
    const { parts, partsKeptRaw: parts_kept_raw } = enhanced;
    this.#enhancement = { edit_rate: this.#editRate, is_enhanced: true, parts, parts_kept_raw };
    const { maxTokens } = enhanced;
    this.#enhancementVersion = enhancementVersion(writer.version!, { prompt, maxTokens });
    const model_loading_seconds = loadingSeconds();
    this.#stages = {
      ...this.#stages,
      enhancement: { seconds: cleaning(), model_loading_seconds, parts, parts_kept_raw },
    };
  }

  /** `from`: where the stage's progress stands. */
  async #summarise(from: number): Promise<void> {
    const { tools, templates, settings } = this.#parts;
    const { signal } = this.#context;
    const summarising = stopwatch();
    if (from > 0 && settings.enhancement.model !== settings.summary.model) await tools.freeModels();
    const template = await templates.get(this.#input.templateId ?? undefined);
    const { writer, loadingSeconds } = timedWriter(openWriter(tools.language, settings.summary, signal));
    const isRaw = this.#cleanText === this.#speech!.text;
    const said = {
      text: this.#cleanText!,
      language: this.#speech!.language,
      pauses: isRaw ? this.#pauses : [],
    };
    const { value, parts, answers, prompts } = await summarise(said, writer, {
      template,
      partPrompt: await templates.prompt('summary_part_v1'),
      mergePrompt: await templates.prompt('summary_merge_v1'),
      maxTokens: settings.summary.settings.maxTokens,
      retries: settings.summary.retries,
      signal,
      onProgress: (done) => this.#context.progress(from + done * (1 - from)),
    });
    this.#summary = value;
    const backend = tools.language.constrainedBy;
    this.#summaryVersion = summaryVersion(writer.version!, { template, backend, prompts });
    const model_loading_seconds = loadingSeconds();
    this.#stages = {
      ...this.#stages,
      summary: { seconds: summarising(), model_loading_seconds, parts, answers },
    };
  }

  /** The models of the stage before are let go of first. */
  async #begin(stage: Stage): Promise<void> {
    await this.#context.begin(stage);
    await this.#parts.tools.freeModels();
  }

  #output({ isComplete }: { readonly isComplete: boolean }): Json {
    const speech = this.#speech!;
    const all = {
      raw_transcript: speech.text,
      ...(this.#cleanText === undefined ? {} : { clean_transcript: this.#cleanText }),
      ...(this.#summary === undefined ? {} : { summary: this.#summary }),
      enhancement_metrics: this.#enhancement,
    };
    const { features } = this.#input;
    const shown = isComplete
      ? features
      : ([...features.filter((one) => one !== 'enhancement_metrics'), 'raw_transcript'] as const);
    const output: TaskOutput = {
      results: resultsOf({ features: shown }, all, this.#wordTimestamps ? speech.segments : undefined),
      versions: versionsOf(speech.version, {
        ...(this.#enhancementVersion && { enhancement: this.#enhancementVersion }),
        ...(this.#summaryVersion && { summary: this.#summaryVersion }),
      }),
      metrics: metricsOf({
        speech,
        processingSeconds: (performance.now() - this.#began) / 1000,
        editRate: this.#editRate,
        stages: this.#stages,
      }),
      ...(isComplete ? {} : { heard: { sourceBytes: this.#sourceBytes, speech } }),
    };
    return writeOutput(output);
  }

  get #wordTimestamps(): boolean {
    return this.#input.wordTimestamps ?? this.#parts.settings.wordTimestamps;
  }

  get #pauses(): number[] {
    return pausesOf(this.#speech!.segments);
  }
}

function requireDuration(seconds: number, least: number): void {
  if (seconds >= least) return;
  throw new AppError(
    'audio_too_short',
    `The recording is ${seconds.toFixed(2)} s long; at least ${least} s is needed (pipeline.min_duration_seconds).`,
    { param: 'file' },
  );
}

/** Gives the seconds since it was made. */
function stopwatch(): () => number {
  const began = performance.now();
  return () => (performance.now() - began) / 1000;
}

/** Its first question waits for the model to load; counting tokens itself takes milliseconds. */
function timedWriter(writer: Writer): { readonly writer: Writer; loadingSeconds(): number } {
  let seconds: number | undefined;
  return {
    writer: {
      ...writer,
      async measure(prompt) {
        const measuring = stopwatch();
        const size = await writer.measure(prompt);
        seconds ??= measuring();
        return size;
      },
      get version() {
        return writer.version;
      },
    },
    loadingSeconds: () => seconds ?? 0,
  };
}
