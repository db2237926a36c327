/** Services whose answers are counted, in one place for all routes. */
import type { LanguageService } from '../language/service.ts';
import type { SpeechService } from '../speech/service.ts';
import type { VisionAnswer, VisionService } from '../vision/service.ts';
import type { Metrics } from './metrics.ts';

export function countSpeech(speech: SpeechService, metrics: Metrics): SpeechService {
  return {
    admit: () => speech.admit(),
    check: (request) => speech.check(request),
    models: () => speech.models(),
    model: (name) => speech.model(name),
    async transcribe(path, request, context) {
      const transcript = await speech.transcribe(path, request, context);
      metrics.countTranscript(transcript);
      return transcript;
    },
    listen: (input, request, { signal, onEvent }) =>
      speech.listen(input, request, {
        signal,
        onEvent(event) {
          if (event.type === 'completed') metrics.countLiveSeconds(event.seconds);
          onEvent(event);
        },
      }),
  };
}

export function countLanguage(language: LanguageService, metrics: Metrics): LanguageService {
  return {
    admit: () => language.admit(),
    models: () => language.models(),
    model: (name) => language.model(name),
    async generate(request, context) {
      const generation = await language.generate(request, context);
      metrics.countGeneration(generation);
      return generation;
    },
  };
}

export function countVision(vision: VisionService, metrics: Metrics): VisionService {
  const counted = async <A extends VisionAnswer>(asked: Promise<A>): Promise<A> => {
    const answer = await asked;
    metrics.countVision(answer);
    return answer;
  };
  return {
    admit: () => vision.admit(),
    models: () => vision.models(),
    model: (name) => vision.model(name),
    classify: (request, signal) => counted(vision.classify(request, signal)),
    embedImages: (request, signal) => counted(vision.embedImages(request, signal)),
    embedTexts: (request, signal) => counted(vision.embedTexts(request, signal)),
  };
}
