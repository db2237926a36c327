/** Entry of a model process: one loaded model, one request protocol. Forked by the engine. */
import { serveModel } from './engine/model-process-loop.ts';
import { modelLoaders } from './model-loaders.ts';

serveModel(modelLoaders);
