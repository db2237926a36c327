/** Whisper models behind the speech service. */
import type { AudioSettings, SpeechBackend } from '../backend.ts';
import type { LiveInput, LiveSettings, ResolvedLiveSettings } from '../live.ts';
import { requireLanguage } from '../request-language.ts';
import type { SpeechRequest } from '../service.ts';
import type { TranscribeOptions } from '../transcript.ts';
import { CONVERTER_VERSION } from './convert.ts';
import type { ListenInput } from './live.ts';
import type { TranscribeInput, WhisperLoadOptions } from './model.ts';

/** What the configuration says; the rest is the request's own. */
export type WhisperDefaults = Omit<TranscribeOptions, 'task' | 'wordTimestamps'>;

export function createWhisperBackend(defaults: WhisperDefaults, audio: AudioSettings): SpeechBackend {
  return {
    kind: 'whisper',
    converterVersion: CONVERTER_VERSION,
    needsVoiceActivity: true,
    capabilities: ({ languages }) =>
      languages === 'multilingual' ? ['transcribe', 'translate', 'detect_language'] : ['transcribe'],
    loadOptions: ({ graphs, vad, threads }) => ({ graphs, vad: vad!, threads }) satisfies WhisperLoadOptions, // it needs voice activity
    // Its checkpoint tells which languages it knows.
    check: ({ language }) => void requireLanguage(language),
    transcribeInput: (path, request) =>
      ({ path, options: optionsOf(request, defaults), audio }) satisfies TranscribeInput,
    decoding: (request) => ({ ...optionsOf(request, defaults) }),
    live: {
      input: (request) => ({ settings: liveSettings(request, defaults) }) satisfies ListenInput,
      chunks: (input) => resolveSettings(input, defaults),
    },
  };
}

/** What a request says over what the configuration says. Throws `invalid_request` for an unknown language. */
function optionsOf(request: SpeechRequest, defaults: WhisperDefaults): TranscribeOptions {
  const language = requireLanguage(request.language) ?? defaults.language;
  const prompt = request.prompt ?? defaults.prompt;
  return {
    ...defaults,
    task: request.task,
    wordTimestamps: request.wordTimestamps ?? false,
    ...(language === undefined ? {} : { language }),
    ...(prompt === undefined || prompt.trim() === '' ? {} : { prompt }),
    beamSize: request.beamSize ?? defaults.beamSize,
    temperatures: request.temperature ? [request.temperature] : defaults.temperatures,
    vad: { ...defaults.vad, ...request.vad },
  };
}

function liveSettings(settings: LiveSettings, defaults: WhisperDefaults): ResolvedLiveSettings {
  const { sampleRate, detection, language, prompt } = settings;
  const request = { model: undefined, task: 'transcribe', language, prompt } as const;
  return { sampleRate, detection, options: optionsOf(request, defaults) };
}

async function* resolveSettings(
  input: AsyncIterable<LiveInput>,
  defaults: WhisperDefaults,
): AsyncGenerator<LiveInput<ResolvedLiveSettings>> {
  for await (const item of input)
    yield item.type === 'configure' ? { ...item, settings: liveSettings(item.settings, defaults) } : item;
}
