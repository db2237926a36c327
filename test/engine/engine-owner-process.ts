/** Loads one model, tells its process id, and waits to be killed. */
import { silentLogger } from '../../src/base/logger.ts';
import { createEngine } from '../../src/engine/engine.ts';

const engine = createEngine({
  entry: new URL('./test-model-process.js', import.meta.url),
  limits: {
    maxLoaded: 1,
    memoryBudgetBytes: 2 ** 40,
    loadTimeoutMs: 20_000,
    queueDepth: 1,
    waitTimeoutMs: 1_000,
  },
  keepAliveDefaultSeconds: -1,
  logger: silentLogger,
  env: {},
});
await engine.lease({ model: 'a', kind: 'whisper', directory: '/nowhere', options: {}, memoryBytes: 0 });
process.send!((await engine.state()).models[0]!.pid);
