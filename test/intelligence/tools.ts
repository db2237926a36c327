/** Tools without weights, for tests alone: each does one plain thing to the text that it is given, the same at every run. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { AppError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { createPipeline, type PipelineSettings } from '../../src/intelligence/pipeline.ts';
import type { RunUpdate } from '../../src/intelligence/reporter.ts';
import { type TaskInput, writeTaskInput } from '../../src/intelligence/task-input.ts';
import type { TaskOutput } from '../../src/intelligence/task-output.ts';
import { createTemplates } from '../../src/intelligence/templates.ts';
import type { HeardSpeech, Tools, WriterVersion, WritingRequest } from '../../src/intelligence/tools.ts';
import type { Json } from '../../src/jobs/task.ts';
import { createSchemaCompiler } from '../../src/language/schema/schema-compiler.ts';
import { TEMPLATES } from '../../src/pipeline-tools.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** The real one, for all tests of a file: it knows our templates after the first. */
export const compiler = createSchemaCompiler({ timeoutMs: 5000 });
after(() => compiler.close());

export const ASR_VERSION = {
  name: 'whisper',
  model_variant: 'whisper-base-int8',
  model_path: 'models/whisper-base',
  checkpoint_hash: 'abc',
  compute_type: 'int8',
  decoding_params: { beam_size: 5 },
} as const;

export const WRITER_VERSION: WriterVersion = {
  name: 'smollm2-135m-instruct',
  checkpoint_hash: 'def',
  quantization: 'Q4_1',
  chat_template: '123',
  thinking: false,
  reasoning_parser: null,
  decoding_params: { temperature: 0, max_tokens: 100 },
};

export const SAID = ' and then minh said um we build the bridge of wood anna will ask three builders';

/** What was heard: one segment for each of the texts, four seconds long. */
export function speechOf(...texts: readonly string[]): HeardSpeech {
  return {
    text: texts.join('').trim(),
    language: 'en',
    segments: texts.map((text, index) => ({ startSeconds: 4 * index, endSeconds: 4 * index + 4, text })),
    durationSeconds: 4 * texts.length,
    vadCoverage: 0.9,
    confidence: 0.8,
    isPunctuated: false,
    timings: { model_loading: 1, decoder: 2 },
    version: ASR_VERSION,
  };
}

export const NOTES = {
  title: 'The bridge',
  summary: 'They talked about the bridge.',
  participants: ['Minh'],
  topics: [],
  decisions: ['The bridge is built of wood.'],
  action_items: [{ task: 'Ask three builders', owner: 'Anna', due: null }],
  open_questions: [],
} as const;

/** Between the marks of a prompt. */
export function transcriptIn({ messages }: Pick<WritingRequest, 'messages'>): string {
  const [, text] = /<transcript>\n([\s\S]*)\n<\/transcript>/.exec(messages[0]!.content) ?? [];
  return text ?? '';
}

/** An answer: text, JSON for a schema, or `CUT` for one that does not end. */
export type Answer = (request: WritingRequest, call: number) => Json | typeof CUT;
export const CUT = Symbol('cut');

/** Adds what punctuation is made of, and fills every form with the same notes. */
export function punctuate(request: WritingRequest): Json {
  if (request.schema !== undefined) return NOTES;
  const text = transcriptIn(request);
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

export interface Behaviour {
  readonly speech?: HeardSpeech;
  readonly answer?: Answer;
  readonly durationSeconds?: number;
  /** Tokens: words of the prompt. */
  readonly contextTokens?: number;
  readonly settings?: Partial<PipelineSettings>;
  readonly transcribe?: Tools['transcribe'];
  readonly onUpdate?: (change: RunUpdate) => Promise<void> | void;
}

/** A pipeline over our templates; every step is told in `steps`, every question to a model in `asked`. */
export async function openPipeline(t: TestContext, behaviour: Behaviour = {}) {
  const { speech = speechOf(SAID), answer = punctuate, contextTokens = 4000 } = behaviour;
  const steps: string[] = [];
  const asked: WritingRequest[] = [];
  const updates: RunUpdate[] = [];
  const tools: Tools = {
    async prepare(source) {
      steps.push('prepare');
      return {
        path: source,
        format: 'wav',
        durationSeconds: behaviour.durationSeconds ?? speech.durationSeconds,
      };
    },
    async transcribe(path, request, context) {
      steps.push('transcribe');
      if (behaviour.transcribe !== undefined) return behaviour.transcribe(path, request, context);
      for (const share of [0.25, 0.5, 1]) context.onProgress(share);
      return speech;
    },
    hearingVersion: async () => speech.version,
    language: {
      constrainedBy: 'gbnf',
      measure: async ({ messages }) => ({
        promptTokens: messages[0]!.content.split(/\s+/).length,
        contextTokens,
      }),
      async generate(request) {
        steps.push(request.schema === undefined ? 'clean' : 'summarise');
        asked.push(request);
        const given = answer(request, asked.length - 1);
        const isCut = given === CUT;
        const value = request.schema === undefined || isCut ? undefined : (given as Json);
        if (request.schema !== undefined && !isCut) {
          const problem = await compiler.validate(request.schema, given);
          if (problem !== undefined)
            throw new AppError('invalid_output', `${problem.pointer}: ${problem.message}.`);
        }
        const text = isCut ? '' : String(given);
        return { text, value, isCut, promptTokens: 1, completionTokens: 1, version: WRITER_VERSION };
      },
    },
    checkSchema: async (schema) => void (await compiler.compile(schema)),
    freeModels: async () => void steps.push('free'),
  };
  const scratch = await temporaryFolder(t);
  const source = join(scratch, 'raw.wav');
  await writeFile(source, 'a recording');
  const templates = createTemplates({
    ours: TEMPLATES,
    yours: join(scratch, 'templates'),
    checkSchema: tools.checkSchema,
    logger: silentLogger,
  });
  const pipeline = createPipeline({
    tools,
    templates,
    settings: {
      speechModel: undefined,
      wordTimestamps: false,
      minDurationSeconds: 1,
      enhancement: { model: undefined, settings: { temperature: 0 } },
      summary: { model: undefined, settings: { temperature: 0 }, retries: 2 },
      ...behaviour.settings,
    },
  });
  return {
    steps,
    asked,
    updates,
    scratch,
    async run(
      input: Partial<TaskInput> = {},
      { earlier, signal = new AbortController().signal }: { earlier?: Json; signal?: AbortSignal } = {},
    ): Promise<TaskOutput> {
      const json = writeTaskInput({
        features: ['clean_transcript', 'summary'],
        templateId: 'meeting_notes_v1',
        language: null,
        speechModel: null,
        wordTimestamps: null,
        fileName: null,
        webhookUrl: null,
        ...input,
      });
      const output = await pipeline.run(json, {
        source,
        scratch,
        signal,
        earlier,
        async update(change) {
          updates.push(change);
          await behaviour.onUpdate?.(change);
        },
      });
      return output as unknown as TaskOutput; // made by writeOutput
    },
    /** What was told last. */
    told: () =>
      updates.findLast(({ output }) => output !== undefined)?.output as unknown as TaskOutput | undefined,
  };
}
