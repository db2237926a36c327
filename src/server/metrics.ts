/** What the server counts of its work, as Prometheus's text or as one JSON object. Units are in the names; labels have few values. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ErrorCode } from '../base/errors.ts';
import type { QueueHealth } from '../intelligence/service.ts';
import type { Generation } from '../language/generation.ts';
import type { Transcript } from '../speech/transcript.ts';
import type { VisionAnswer } from '../vision/service.ts';
import { tokensPerSecond } from './generation-figures.ts';
import type { Health } from './health.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Of this server. */
    readonly metrics: Metrics;
  }
}

export interface AnsweredRequest {
  readonly method: string;
  /** As it is registered, such as `/v1/models/*`; `none` for a path that is not. */
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

export interface Metrics {
  countRequest(request: AnsweredRequest): void;
  countError(code: ErrorCode): void;
  countTranscript(transcript: Transcript): void;
  /** Of an utterance of a live session. */
  countLiveSeconds(seconds: number): void;
  countGeneration(generation: Generation): void;
  countVision(answer: VisionAnswer): void;
  readonly contentType: string;
  /** `tasks` where there is a queue of recordings. */
  toText(health: Health, tasks: QueueHealth | undefined): Promise<string>;
  toJson(health: Health, tasks: QueueHealth | undefined): Promise<object>;
}

/** From a list of names to hours of audio. */
const REQUEST_SECONDS = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];
const TOKENS_PER_SECOND = [1, 2, 5, 10, 15, 20, 30, 50, 75, 100, 150, 250, 500];
const REAL_TIME_FACTORS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 5];

/** Counts begin at zero. `version` is the program's. */
export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge({ name, help, labelNames, registers });
  const histogram = <L extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: readonly L[],
  ) => new Histogram({ name, help, buckets, labelNames, registers });

  const requests = counter(
    'percept_http_requests_total',
    'Requests answered; status 499: the client had gone.',
    ['method', 'route', 'status'],
  );
  const requestSeconds = histogram(
    'percept_http_request_duration_seconds',
    'Time from a request to the end of its answer.',
    REQUEST_SECONDS,
    ['route'],
  );
  const errors = counter('percept_errors_total', 'Errors answered, by their code.', ['code']);
  const audioSeconds = counter('percept_audio_seconds_total', 'Audio that was transcribed.', ['kind']);
  const realTimeFactor = histogram(
    'percept_transcription_real_time_factor',
    'Time to transcribe a recording, divided by its length.',
    REAL_TIME_FACTORS,
    ['model'],
  );
  const promptTokens = counter('percept_prompt_tokens_total', 'Tokens of prompts.', ['model']);
  const cachedTokens = counter(
    'percept_cached_prompt_tokens_total',
    'Those that an earlier request had left.',
    ['model'],
  );
  const completionTokens = counter('percept_completion_tokens_total', 'Tokens of answers.', ['model']);
  const generationSeconds = histogram(
    'percept_generation_duration_seconds',
    'Time from a question to a model to its whole answer.',
    REQUEST_SECONDS,
    ['model'],
  );
  const firstTokenSeconds = histogram(
    'percept_first_token_seconds',
    'Time from a question to the first token.',
    REQUEST_SECONDS,
    ['model'],
  );
  const speed = histogram(
    'percept_generation_tokens_per_second',
    'Tokens a second of an answer, after its first.',
    TOKENS_PER_SECOND,
    ['model'],
  );
  const images = counter('percept_images_total', 'Images that were looked at.', ['model']);
  const visionSeconds = histogram(
    'percept_vision_duration_seconds',
    'Time of a vision model to classify or embed what one request asks.',
    REQUEST_SECONDS,
    ['model'],
  );
  const textHits = counter('percept_text_embedding_hits_total', 'Texts whose embeddings were remembered.', [
    'model',
  ]);
  const textMisses = counter('percept_text_embedding_misses_total', 'Texts that had to be embedded.', [
    'model',
  ]);
  const queueDepth = gauge('percept_queue_depth', 'Requests waiting or running.');
  const queueLimit = gauge('percept_queue_limit', 'The most that may.');
  const modelMemory = gauge('percept_model_memory_bytes', 'Resident memory of a loaded model.', ['model']);
  const modelLoad = gauge('percept_model_load_seconds', 'How long a loaded model took to load.', ['model']);
  const memory = gauge('process_resident_memory_bytes', 'Resident memory of the server, without models.');
  const cpu = gauge('process_cpu_seconds', 'Processor time of the server, without models.');
  const started = gauge('process_start_time_seconds', 'When the server started, in Unix time.');
  const build = gauge('percept_build_info', 'Always 1; the label has the version.', ['version']);
  build.set({ version }, 1);
  started.set(Date.now() / 1000 - process.uptime());

  const tasksByState = gauge('percept_tasks', 'Recordings that wait or are processed.', ['state']);
  const tasksLimit = gauge('percept_tasks_waiting_limit', 'The most recordings that may wait.');
  const taskWorker = gauge(
    'percept_task_worker_active',
    'Whether a worker gave a sign of life within a minute.',
  );

  function look(health: Health, tasks: QueueHealth | undefined): void {
    queueDepth.set(health.queueDepth);
    queueLimit.set(health.queueLimit);
    if (tasks !== undefined) {
      tasksByState.set({ state: 'waiting' }, tasks.waiting);
      tasksByState.set({ state: 'running' }, tasks.running);
      tasksLimit.set(tasks.maxWaiting);
      taskWorker.set(tasks.hasWorker ? 1 : 0);
    }
    // Models come and go.
    modelMemory.reset();
    modelLoad.reset();
    for (const { name, memoryBytes, loadSeconds } of health.models) {
      modelMemory.set({ model: name }, memoryBytes);
      if (loadSeconds !== undefined) modelLoad.set({ model: name }, loadSeconds);
    }
    const { user, system } = process.cpuUsage();
    cpu.set((user + system) / 1e6);
    memory.set(process.memoryUsage.rss());
  }

  return {
    contentType: registry.contentType,
    countRequest({ method, route, status, seconds }) {
      requests.inc({ method, route, status });
      requestSeconds.observe({ route }, seconds);
    },
    countError: (code) => errors.inc({ code }),
    countTranscript({ model, durationSeconds, timings }) {
      audioSeconds.inc({ kind: 'recording' }, durationSeconds);
      if (durationSeconds > 0) realTimeFactor.observe({ model }, timings.total / durationSeconds);
    },
    countLiveSeconds: (seconds) => audioSeconds.inc({ kind: 'live' }, seconds),
    countGeneration(generation) {
      const { model, usage, timings } = generation;
      generationSeconds.observe({ model }, timings.total);
      firstTokenSeconds.observe({ model }, timings.untilFirstToken);
      if (usage === undefined) return;
      promptTokens.inc({ model }, usage.promptTokens);
      cachedTokens.inc({ model }, usage.cachedTokens);
      completionTokens.inc({ model }, usage.completionTokens);
      const rate = tokensPerSecond(generation);
      if (rate !== null && rate > 0) speed.observe({ model }, rate);
    },
    countVision({ model, seconds, images: seen, texts }) {
      visionSeconds.observe({ model }, seconds);
      images.inc({ model }, seen);
      textHits.inc({ model }, texts.hits);
      textMisses.inc({ model }, texts.misses);
    },
    async toText(health, tasks) {
      look(health, tasks);
      return registry.metrics();
    },
    async toJson(health, tasks) {
      const loads = health.models.flatMap(({ loadSeconds }) => loadSeconds ?? []);
      const modelBytes = health.models.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
      return {
        response_time: await meanOf(generationSeconds),
        tokens_per_second: await meanOf(speed),
        memory_usage: process.memoryUsage.rss() + modelBytes,
        model_load_time: loads.length === 0 ? null : Math.max(...loads),
        first_token_time: await meanOf(firstTokenSeconds),
        real_time_factor: await meanOf(realTimeFactor),
        audio_seconds: await sumOf(audioSeconds),
        prompt_tokens: await sumOf(promptTokens),
        cached_tokens: await sumOf(cachedTokens),
        completion_tokens: await sumOf(completionTokens),
        images: await sumOf(images),
        vision_time: await meanOf(visionSeconds),
        text_embedding_hit_rate: shareOf(await sumOf(textHits), await sumOf(textMisses)),
        requests: await sumOf(requests),
        request_time: await meanOf(requestSeconds),
        errors: await byLabel(errors, 'code'),
        queue_depth: health.queueDepth,
        queue_limit: health.queueLimit,
        tasks_waiting: tasks?.waiting ?? null,
        tasks_running: tasks?.running ?? null,
        task_worker_active: tasks?.hasWorker ?? null,
        uptime_seconds: process.uptime(),
        models: health.models.map(({ name, state, memoryBytes, loadSeconds }) => ({
          name,
          state,
          memory: memoryBytes,
          load_time: loadSeconds ?? null,
        })),
      };
    },
  };
}

/** Over all labels; null where nothing was measured. */
async function meanOf(histogram: Histogram<string>): Promise<number | null> {
  const { values } = await histogram.get();
  const total = (suffix: string) =>
    values.reduce((sum, { metricName, value }) => (metricName?.endsWith(suffix) ? sum + value : sum), 0);
  const count = total('_count');
  return count === 0 ? null : total('_sum') / count;
}

/** Null where there was nothing. */
function shareOf(part: number, rest: number): number | null {
  return part + rest === 0 ? null : part / (part + rest);
}

async function sumOf(counter: Counter<string>): Promise<number> {
  return (await counter.get()).values.reduce((sum, { value }) => sum + value, 0);
}

async function byLabel(counter: Counter<string>, label: string): Promise<Record<string, number>> {
  return Object.fromEntries((await counter.get()).values.map(({ labels, value }) => [labels[label], value]));
}
