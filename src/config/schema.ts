/**
 * The one schema of the configuration. Keys are camelCase here and in code, snake_case in files (`server.max_upload_bytes`),
 * upper snake case in the environment (`PERCEPT_SERVER_MAX_UPLOAD_BYTES`). The last word of a name is its unit.
 */
import { z } from 'zod';
import { hailoKeys, serviceKeys } from './device-keys.ts';
import { bytes, GIB, httpUrl, keepAlive, MIB, note, seconds, setting } from './notes.ts';
import { pipelineKeys, taskKeys } from './task-keys.ts';

export const PROFILES = ['all', 'hailo-whisper', 'hailo-clip', 'maie'] as const;
export type Profile = (typeof PROFILES)[number];

export const configSchema = z.object({
  profile: note(
    z.enum(PROFILES).default('all'),
    'Which routes and defaults: all of Percept, or one service of it.',
  ),
  home: note(z.string().min(1).default(''), 'Data directory: models, caches, temporary files.', {
    fallback: '`$XDG_DATA_HOME/percept`, else `~/.local/share/percept`',
  }),
  offline: note(z.boolean().default(false), 'Never touch a network; what is not installed is an error.'),
  server: z.object({
    host: note(z.string().min(1).default('127.0.0.1'), 'Address to listen on.'),
    port: note(z.int().min(0).max(65_535).default(11_437), 'Port to listen on; 0 takes any free one.', {
      fallback: '11437; profile hailo-clip 5000, maie 8000',
    }),
    apiKeys: note(z.array(z.string().trim().min(1)).default([]), 'Keys that clients may present.', {
      secret: true,
    }),
    auth: note(
      z.enum(['keys', 'none']).default('keys'),
      'keys: without any key only a loopback address is served. none: everyone who reaches the port is served.',
    ),
    maxUploadBytes: note(bytes(1).default(500 * MIB), 'Largest upload.'),
    maxJsonBytes: note(bytes(1024).default(4 * MIB), 'Largest JSON body: prompts, schemas, conversations.'),
    maxHeaderBytes: note(bytes(1024).default(16_384), 'Largest set of request headers.'),
    maxFields: note(z.int().min(1).max(10_000).default(100), 'Most fields in one multipart request.'),
    requestTimeoutSeconds: note(
      seconds(0).default(7200),
      'Longest time a client may take to send one request, so that a slow upload of hours of audio works; 0 for no limit.',
    ),
    liveIdleTimeoutSeconds: note(
      seconds(1).default(300),
      'A live session is closed when its client sends nothing for so long.',
    ),
    liveMaxBacklogSeconds: note(
      seconds(1).default(60),
      'Most audio of a live session that may wait to be heard; a client that sends more is cut off.',
    ),
    stopTimeoutSeconds: note(seconds(0).default(25), 'How long a stop waits for the requests under way.'),
  }),
  log: z.object({
    level: note(
      z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
      'Least severe level that is logged.',
    ),
    format: note(
      z.enum(['auto', 'json', 'pretty']).default('auto'),
      'auto: pretty on a terminal, JSON otherwise.',
    ),
  }),
  models: z.object({
    speech: note(z.string().min(1).default('whisper-base-int8'), 'Default speech model.', {
      fallback: 'whisper-base-int8; profile hailo-whisper whisper-small-int8',
    }),
    language: note(z.string().min(1).default('phi-4-mini'), 'Default language model.'),
    vision: note(z.string().min(1).default('clip-vit-b-32'), 'Default model for images.'),
    maxLoaded: note(z.int().min(1).max(64).default(2), 'Most models in memory at once.'),
    memoryBudgetBytes: note(bytes(1).default(0), 'What all loaded models together may take.', {
      fallback: '60 % of the memory of the machine or container',
    }),
    keepAlive: note(keepAlive().prefault('5m'), 'How long an idle model stays loaded.'),
    keepAliveByModel: note(
      z.record(z.string().min(1), keepAlive()).prefault({}),
      'The same for single models, by name.',
    ),
    loadTimeoutSeconds: note(seconds(1).default(120), 'Longest load of one model.'),
    threads: note(z.int().min(0).max(256).default(0), 'Threads of one model; 0 decides by the machine.', {
      fallback: 'the cores that this process may use, at most 8',
    }),
    autoPull: note(z.boolean().default(true), 'Install a model of the catalogue when it is first asked for.'),
    preload: note(z.boolean().default(true), 'Install and load the default model when the server starts.'),
    computeType: note(z.enum(['int8', 'float32']).default('int8'), 'For model names without a suffix.'),
  }),
  queue: z.object({
    maxDepth: note(
      z.int().min(1).max(100_000).default(32),
      'Most requests that wait or run at once, over all models; one more is answered 429.',
    ),
    waitTimeoutSeconds: note(seconds(1).default(600), 'Longest wait for a turn.'),
  }),
  audio: z.object({
    ffmpeg: note(
      z.string().min(1).default('auto'),
      'Path of ffmpeg; auto looks for it in PATH; off uses the built-in decoders only.',
    ),
    maxDurationSeconds: note(seconds(1).default(14_400), 'Longest recording, and longest live session.'),
    decodeTimeoutSeconds: note(seconds(1).default(600), 'Longest decoding of one recording.'),
    memoryBytes: note(bytes(64 * MIB).default(2 * GIB), 'Most memory of the decoding process.'),
  }),
  speech: z.object({
    language: note(z.string().min(2).nullable().default(null), 'Language code such as en; none: detected.'),
    beamSize: note(
      z.int().min(1).max(20).default(5),
      'Most hypotheses that are followed at once; 1 is greedy.',
    ),
    temperatures: note(
      z.array(z.number().min(0).max(1)).min(1).max(10).default([0, 0.2, 0.4, 0.6, 0.8, 1.0]),
      'Tried in order until a result passes the thresholds.',
    ),
    compressionRatioThreshold: note(
      z.number().positive().default(2.4),
      'Text that compresses better is a repetition.',
    ),
    logprobThreshold: note(z.number().max(0).default(-1.0), 'A lower mean log probability fails the result.'),
    noSpeechThreshold: note(z.number().min(0).max(1).default(0.6), 'Above it, a failed result is silence.'),
    conditionOnPreviousText: note(z.boolean().default(false), 'Give each window the text before it.'),
    batchSize: note(
      z.int().min(1).max(64).default(3),
      'Windows of up to 15 s that are decoded together; of longer ones fewer. More need more memory and are hardly faster on two cores.',
    ),
    prompt: note(
      z.string().min(1).nullable().default(null),
      'Words or text whose style and spelling to follow.',
    ),
    vad: z.object({
      enabled: note(z.boolean().default(true), 'Find speech first and transcribe only that.'),
      threshold: note(z.number().min(0).max(1).default(0.5), 'Speech begins above this probability.'),
      minSpeechMs: note(z.int().min(0).max(60_000).default(250), 'Shorter speech is dropped.'),
      minSilenceMs: note(z.int().min(0).max(60_000).default(500), 'A shorter pause does not end speech.'),
      padMs: note(z.int().min(0).max(10_000).default(400), 'Added before and after each stretch of speech.'),
      maxSpeechSeconds: note(
        z.number().min(1).max(30).default(12),
        'Longer speech is cut at its quietest point.',
      ),
    }),
  }),
  language: z.object({
    engine: note(
      z.enum(['embedded', 'external']).default('embedded'),
      'embedded: models run here. external: the server at language.url runs them.',
    ),
    url: note(
      httpUrl().nullable().default(null),
      'OpenAI-compatible server of the external engine (Ollama, vLLM, llama.cpp), such as http://127.0.0.1:11434/v1.',
    ),
    apiKey: note(z.string().trim().min(1).nullable().default(null), 'Key of that server.', { secret: true }),
    timeoutSeconds: note(
      seconds(1).default(600),
      'Longest silence of that server, before its answer and within it.',
    ),
    retries: note(
      z.int().min(0).max(10).default(2),
      'How often a request is sent again that met a refused or broken connection or a busy or failing server, if no part of its answer had come.',
    ),

    temperature: setting('temperature'),
    topP: setting('topP'),
    topK: setting('topK'),
    minP: setting('minP'),
    repeatPenalty: setting('repeatPenalty'),
    frequencyPenalty: setting('frequencyPenalty'),
    presencePenalty: setting('presencePenalty'),
    maxTokens: setting('maxTokens'),
    contextTokens: note(
      z.int().min(256).max(10_000_000).default(4096),
      'Most tokens of one request and its answer together; more need more memory.',
    ),
    sequences: note(
      z.int().min(1).max(256).default(4),
      'Requests that one model answers at once; each has a context of its own.',
    ),
    templateFile: note(
      z.record(z.string().min(1), z.string().min(1)).default({}),
      'Jinja files that take the place of models’ own chat templates, by name of the model.',
    ),
    gpu: note(
      z.enum(['auto', 'off']).default('auto'),
      'auto: language models run on a GPU where one can be used.',
    ),
  }),
  vision: z.object({
    logitScale: note(
      z.number().positive().max(10_000).nullable().default(null),
      'What cosines are multiplied by before the softmax of a classification.',
      { fallback: 'the model’s own, which is 100 for most' },
    ),
    resize: note(
      z.enum(['exact', 'fast']).default('exact'),
      'exact: images are resized as the models’ makers did, to the last bit. fast: by a filter close to that, in a third of the time for large ones.',
    ),
    maxRequestBytes: note(bytes(1024).default(64 * MIB), 'Largest JSON body with images.'),
    maxImageBytes: note(bytes(1).default(20 * MIB), 'Largest image file.'),
    maxImagePixels: note(
      z
        .int()
        .min(1)
        .max(2 ** 31)
        .default(100_000_000),
      'Most pixels of an image, told by its header before it is decoded; each takes 3 bytes then.',
    ),
    maxImageFrames: note(
      z.int().min(1).max(1_000_000).default(1000),
      'Most frames of an animation, of which the first is looked at.',
    ),
    decodeTimeoutSeconds: note(seconds(1).default(20), 'Longest decoding of one image.'),
    maxImages: note(z.int().min(1).max(10_000).default(64), 'Most images of one request.'),
    maxTexts: note(
      z.int().min(1).max(100_000).default(1000),
      'Most texts, or labels times templates, of one request.',
    ),
    textCacheEntries: note(
      z.int().min(0).max(10_000_000).default(10_000),
      'Texts whose embeddings a loaded model remembers, 2 KB each at 512 dimensions.',
    ),
  }),
  chunkformer: z.object({
    chunkSize: note(
      z.int().min(1).max(1024).default(64),
      'ChunkFormer models: frames of 80 ms that are computed together.',
    ),
    leftContextSize: note(
      z.int().min(0).max(2048).default(128),
      'Frames before a chunk that each layer sees; a multiple of the chunk, as in training.',
    ),
    rightContextSize: note(
      z.int().min(0).max(2048).default(128),
      'Frames after a chunk that each layer sees.',
    ),
    totalBatchDuration: note(
      z.number().min(1).max(1_000_000).default(14_400),
      'Seconds; a recording longer than half of it is heard in parts, and a batch of several holds no more than that. It takes no more memory, whatever it is.',
    ),
    mergeRepeats: note(
      z.boolean().default(false),
      'Take a symbol that is repeated after a blank for one, as the Python package does in recordings of any length; words said twice are lost.',
    ),
  }),
  hailo: hailoKeys,
  tasks: taskKeys,
  pipeline: pipelineKeys,
  service: serviceKeys,
  sources: z.object({
    hubEndpoint: note(httpUrl().default('https://huggingface.co'), 'The Hugging Face hub or a mirror of it.'),
    hubToken: note(
      z.string().min(1).nullable().default(null),
      'Token for gated or private repositories of the hub.',
      {
        secret: true,
      },
    ),
    indexUrl: note(
      httpUrl().default('https://pypi.org/simple'),
      'Simple API of the Python package index or a mirror.',
      {
        fallback: '`index-url` of pip’s own configuration, else https://pypi.org/simple',
      },
    ),
    order: note(
      z.array(z.enum(['hub', 'index'])).default(['hub', 'index']),
      'Where to look for models, in order.',
    ),
    hailoResources: note(
      httpUrl().default('https://hailo-csdata.s3.eu-west-2.amazonaws.com/resources'),
      'Where Hailo publishes Whisper for its devices, or a mirror of it.',
    ),
    hailoModelZoo: note(
      httpUrl().default('https://hailo-model-zoo.s3.eu-west-2.amazonaws.com/ModelZoo/Compiled'),
      'Hailo’s model zoo, or a mirror of it.',
    ),
    connectTimeoutSeconds: note(
      seconds(1).default(10),
      'Longest wait for a connection before the next source.',
    ),
  }),
});

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** The resolved configuration: every key has its value; frozen. `keepAlive` is in seconds, -1 for ever. */
export type Config = DeepReadonly<z.output<typeof configSchema>>;
