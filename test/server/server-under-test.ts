/** A real server on a free port, over a speech service that answers one fixed transcript: routes are tested without weights. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { AppError } from '../../src/base/errors.ts';
import type { IntelligenceService } from '../../src/intelligence/service.ts';
import type { BullQueue } from '../../src/jobs/redis-delivery.ts';
import type { LanguageService } from '../../src/language/service.ts';
import { createServer } from '../../src/server/server.ts';
import type { ServerOptions } from '../../src/server/services.ts';
import { openUploadDirectory } from '../../src/server/uploads.ts';
import type { SpeechModel, SpeechRequest, SpeechService } from '../../src/speech/service.ts';
import type { Transcript } from '../../src/speech/transcript.ts';
import type { VisionService } from '../../src/vision/service.ts';

export const TRANSCRIPT: Transcript = {
  model: 'whisper-base-int8',
  task: 'transcribe',
  language: 'en',
  languageProbability: 0.98,
  durationSeconds: 3.25,
  text: 'Hello there. Good bye.',
  segments: [
    {
      id: 0,
      seek: 0,
      startSeconds: 0,
      endSeconds: 1.5,
      text: ' Hello there.',
      tokens: [50364, 2425, 50439],
      temperature: 0,
      avgLogprob: -0.2,
      compressionRatio: 0.8,
      noSpeechProb: 0.01,
    },
    {
      id: 1,
      seek: 0,
      startSeconds: 1.5,
      endSeconds: 3.2,
      text: ' Good bye.',
      tokens: [50439, 2205, 50524],
      temperature: 0,
      avgLogprob: -0.2,
      compressionRatio: 0.8,
      noSpeechProb: 0.01,
    },
  ],
  speechRatio: 0.9,
  timings: { decodeAudio: 0, voiceActivity: 0, features: 0, encoder: 0, decoder: 0, total: 0.1 },
};

const MODEL: SpeechModel = {
  name: 'whisper-base-int8',
  description: 'A model',
  computeType: 'int8',
  backend: 'whisper',
  capabilities: ['transcribe', 'translate', 'detect_language'],
  memoryBytes: 400_000_000,
  ownedBy: 'Systran',
  installedAt: new Date('2026-01-02T03:04:05Z'),
};

export interface ServerUnderTest {
  readonly app: FastifyInstance;
  readonly url: string;
  /** What the speech service was asked, latest last. */
  readonly asked: SpeechRequest[];
  readonly turns: { taken: number; given: number };
  /** Lines of the log. */
  readonly log: string[];
  /** Files in the upload directory. */
  leftovers(): Promise<string[]>;
}

export interface Behaviour {
  readonly options?: Partial<ServerOptions>;
  /** In place of the fixed transcript. */
  readonly transcribe?: SpeechService['transcribe'];
  /** In place of a session that only listens. */
  readonly listen?: SpeechService['listen'];
  readonly isFull?: boolean;
  /** Without it there are no routes of language models. */
  readonly language?: LanguageService;
  readonly vision?: VisionService | undefined;
  readonly intelligence?: IntelligenceService | undefined;
  readonly boardQueues?: readonly BullQueue[];
}

export async function startServer(t: TestContext, behaviour: Behaviour = {}): Promise<ServerUnderTest> {
  const root = await mkdtemp(join(tmpdir(), 'percept-server-'));
  const uploadDirectory = await openUploadDirectory(root);
  const asked: SpeechRequest[] = [];
  const turns = { taken: 0, given: 0 };
  const log: string[] = [];
  const speech: SpeechService = {
    admit() {
      if (behaviour.isFull)
        throw new AppError('queue_full', 'The queue is full.', { retryAfterSeconds: 1.2 });
      turns.taken += 1;
      return {
        release() {
          turns.given += 1;
        },
      };
    },
    async check({ model }) {
      if (model === 'nonsense')
        throw new AppError('model_not_found', 'There is no model nonsense.', { param: 'model' });
    },
    async transcribe(path, request, context) {
      asked.push(request);
      return behaviour.transcribe?.(path, request, context) ?? TRANSCRIPT;
    },
    async listen(input, request, context) {
      if (behaviour.listen !== undefined) return behaviour.listen(input, request, context);
      for await (const _ of input);
    },
    models: async () => [MODEL],
    async model(name) {
      if (name !== MODEL.name && name !== 'whisper-1')
        throw new AppError('model_not_found', `There is no model ${name}.`, { param: 'model' });
      return MODEL;
    },
  };
  const app = await createServer({
    options: {
      apiKeys: [],
      isOpenToAll: false,
      maxUploadBytes: 64 * 1024,
      maxHeaderBytes: 16_384,
      maxJsonBytes: 256 * 1024,
      maxFields: 20,
      requestTimeoutMs: 20_000,
      realtime: { idleTimeoutMs: 20_000, maxDurationMs: 20_000, maxBacklogSeconds: 60 },
      images: { maxRequestBytes: 2 ** 20, maxImageBytes: 512 * 1024, maxImages: 4, maxTexts: 50 },
      uploadDirectory,
      version: '1.2.3',
      profile: 'all',
      ...behaviour.options,
    },
    speech,
    language: behaviour.language,
    vision: behaviour.vision,
    intelligence: behaviour.intelligence,
    boardQueues: behaviour.boardQueues,
    system: {
      health: async () => ({
        queueDepth: turns.taken - turns.given,
        queueLimit: 32,
        workerActive: true,
        models: [{ name: MODEL.name, state: 'ready', memoryBytes: 1, loadSeconds: 0.5 }],
      }),
      notReady: () => undefined,
    },
    logger: pino({}, { write: (line: string) => void log.push(line) }),
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.after(async () => {
    await app.close();
    await rm(root, { recursive: true });
  });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  return { app, url, asked, turns, log, leftovers: () => readdir(uploadDirectory) };
}

/** A form with a small file and some fields. */
export function form(
  fields: Readonly<Record<string, string | readonly string[]>> = {},
  file: { name?: string; bytes?: Uint8Array; field?: string } = {},
): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields))
    for (const text of [value].flat()) data.append(name, text as string);
  const bytes = file.bytes ?? new TextEncoder().encode('some bytes');
  data.append(file.field ?? 'file', new Blob([bytes as Uint8Array<ArrayBuffer>]), file.name ?? 'speech.wav');
  return data;
}

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}
