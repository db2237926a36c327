/** ChunkFormer models behind the speech service. Options that they have no meaning for are refused by name; `temperature` is ignored. */
import { AppError } from '../../base/errors.ts';
import type { AskedModel, AudioSettings, SpeechBackend } from '../backend.ts';
import { languageName } from '../languages.ts';
import { requireLanguage } from '../request-language.ts';
import type { SpeechRequest } from '../service.ts';
import { CONVERTER_VERSION } from './convert.ts';
import type { ChunkFormerInput, ChunkFormerLoadOptions } from './model.ts';
import type { ChunkSettings } from './settings.ts';

/** What the configuration says. */
export interface ChunkFormerDefaults {
  readonly settings: ChunkSettings;
  readonly mergesRepeats: boolean;
  readonly maxDurationSeconds: number;
}

export function createChunkFormerBackend(defaults: ChunkFormerDefaults, audio: AudioSettings): SpeechBackend {
  const { settings, mergesRepeats, maxDurationSeconds } = defaults;
  return {
    kind: 'chunkformer',
    converterVersion: CONVERTER_VERSION,
    needsVoiceActivity: false,
    capabilities: () => ['transcribe'],
    loadOptions: ({ graphs, threads }) =>
      ({ graphs, threads, settings, mergesRepeats }) satisfies ChunkFormerLoadOptions,
    check: (request, model) => void checkRequest(request, model),
    transcribeInput: (path, request, model) =>
      ({
        path,
        language: checkRequest(request, model),
        audio: { ...audio, maxDurationSeconds },
      }) satisfies ChunkFormerInput,
    decoding: (request, model) => ({
      language: checkRequest(request, model),
      ...settings,
      mergesRepeats,
      maxDurationSeconds,
    }),
    live: undefined,
  };
}

interface Refused {
  /** As clients write it. */
  readonly param: string;
  readonly what: string;
  readonly isAsked: (request: Partial<SpeechRequest>) => boolean;
}

const REFUSED: readonly Refused[] = [
  { param: 'beam_size', what: 'beam search', isAsked: ({ beamSize }) => beamSize !== undefined },
  { param: 'prompt', what: 'prompts', isAsked: ({ prompt = '' }) => prompt.trim() !== '' },
  {
    param: 'timestamp_granularities',
    what: 'times of words',
    isAsked: ({ wordTimestamps }) => wordTimestamps === true,
  },
  { param: 'chunking_strategy', what: 'voice activity detection', isAsked: ({ vad }) => vad !== undefined },
];

/** The language of the text: the model's own, or what the caller says of a model that does not tell. */
function checkRequest(request: Partial<SpeechRequest>, { name, entry }: AskedModel): string | undefined {
  if (request.task === 'translate')
    throw new AppError('invalid_request', `${name} cannot translate. Ask for a multilingual Whisper model.`, {
      param: 'model',
    });
  for (const { param, what, isAsked } of REFUSED)
    if (isAsked(request))
      throw new AppError(
        'unsupported_parameter',
        `${name} is a ChunkFormer model, which has no ${what}. Leave "${param}" out, or ask for a Whisper model.`,
        { param },
      );
  const language = requireLanguage(request.language);
  const own = entry.languages === 'multilingual' ? undefined : entry.languages[0];
  if (own === undefined || language === undefined || language === own) return own ?? language;
  throw new AppError(
    'invalid_request',
    `${name} knows ${languageName(own)} (${own}) only, not "${language}". Ask for a Whisper model.`,
    { param: 'language' },
  );
}
