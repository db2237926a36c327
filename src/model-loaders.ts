import type { ModelLoaders } from './engine/model-process-loop.ts';

/** Which task's loader reads which kind of model; each is imported only in the process that needs it. */
export const modelLoaders: ModelLoaders = {
  chunkformer: () => import('./speech/chunkformer/model.ts'),
  clip: () => import('./vision/clip/model.ts'),
  'clip-hailo': () => import('./vision/clip/hailo/model.ts'),
  llm: () => import('./language/model.ts'),
  whisper: () => import('./speech/whisper/model.ts'),
  'whisper-hailo': () => import('./speech/whisper/hailo/model.ts'),
};
