/** Whisper models on a Hailo device behind the speech service. */
import type { HailoOptions } from '../../../backends/hailo/contract.ts';
import { deviceOf } from '../../../backends/hailo/sharing.ts';
import { AppError } from '../../../base/errors.ts';
import type { AskedModel, AudioSettings, SpeechBackend } from '../../backend.ts';
import type { LiveInput } from '../../live.ts';
import type { SpeechRequest } from '../../service.ts';
import { createWhisperBackend, type WhisperDefaults } from '../serving.ts';
import { CONVERTER_VERSION } from './convert.ts';
import { filesIn } from './files.ts';
import type { HailoWhisperLoadOptions } from './model.ts';

/**
 * Requests mean what they mean to Whisper on the CPU, but for three things. Every hypothesis costs a whole run of the decoder, so one is
 * followed unless a request asks for more. A prompt would take the room of the text: the decoder reads 24 to 64 tokens. And
 * there are no times of words.
 */
export function createHailoWhisperBackend(
  defaults: WhisperDefaults,
  { audio, hailo }: { readonly audio: AudioSettings; readonly hailo: HailoOptions },
): SpeechBackend {
  const { prompt: _, ...kept } = defaults;
  const whisper = createWhisperBackend({ ...kept, beamSize: 1, conditionOnPreviousText: false }, audio);
  /** By checkpoint: a network is looked at once, not for every request. */
  const devices = new Map<string, string | undefined>();
  return {
    ...whisper,
    kind: 'whisper-hailo',
    converterVersion: CONVERTER_VERSION,
    async device({ directory, manifest: { checkpointHash } }) {
      if (!devices.has(checkpointHash))
        devices.set(checkpointHash, await deviceOf(filesIn(directory).encoder, hailo));
      return devices.get(checkpointHash);
    },
    loadOptions: ({ graphs, vad }) => ({ graphs, vad: vad!, hailo }) satisfies HailoWhisperLoadOptions, // it needs voice activity
    check(request, model) {
      checkRequest(request, model);
      whisper.check(request, model);
    },
    transcribeInput(path, request, model) {
      checkRequest(request, model);
      return whisper.transcribeInput(path, request, model);
    },
    decoding(request, model) {
      checkRequest(request, model);
      return whisper.decoding(request, model);
    },
    live: whisper.live && {
      ...whisper.live,
      input(request) {
        checkRequest(request, { name: request.model ?? 'The model' });
        return whisper.live!.input(request);
      },
      chunks: (input) => whisper.live!.chunks(checkSettings(input)),
    },
  };
}

/** A session may be given a prompt while it runs. */
async function* checkSettings(input: AsyncIterable<LiveInput>): AsyncGenerator<LiveInput> {
  for await (const item of input) {
    if (item.type === 'configure') checkRequest(item.settings, { name: 'The model' });
    yield item;
  }
}

function checkRequest(
  { wordTimestamps, prompt }: Partial<Pick<SpeechRequest, 'wordTimestamps' | 'prompt'>>,
  { name }: Pick<AskedModel, 'name'>,
): void {
  if (wordTimestamps)
    throw unsupported(name, 'timestamp_granularities', 'gives no times of words, only of segments');
  if (prompt !== undefined && prompt.trim() !== '')
    throw unsupported(name, 'prompt', 'has no room for a prompt beside its text');
}

function unsupported(name: string, param: string, what: string): AppError {
  return new AppError(
    'unsupported_parameter',
    `${name} runs on a Hailo device and ${what}. Leave it out, or ask for a model on the CPU, such as whisper-base.`,
    { param },
  );
}
