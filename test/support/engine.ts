import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Logger } from '../../src/base/logger.ts';
import { createEngine, type Engine, type EngineLimits, type EngineOptions } from '../../src/engine/engine.ts';
import type { LoadSpec } from '../../src/engine/protocol.ts';
import type { TestModelOptions } from '../engine/test-model-process.ts';
import { childProcessIds } from './processes.ts';
import { temporaryFolder } from './temporary.ts';

export interface LogLine {
  readonly level: keyof Logger;
  readonly fields: object;
  readonly message: string;
}

export interface TestEngine {
  readonly engine: Engine;
  readonly lines: readonly LogLine[];
  /** A model of the test process; `changes` may set more of the spec than its options. */
  spec(model: string, options?: TestModelOptions, changes?: Partial<LoadSpec>): LoadSpec;
  /** Names of the models whose processes began to load, in order. */
  loads(): string[];
}

export interface TestEngineOptions extends Partial<Omit<EngineOptions, 'limits'>> {
  readonly limits?: Partial<EngineLimits>;
}

/** An engine over real processes. After the test it is closed, and no process may be left. */
export async function openEngine(context: TestContext, options: TestEngineOptions = {}): Promise<TestEngine> {
  const journal = join(await temporaryFolder(context), 'journal');
  const lines: LogLine[] = [];
  const log = (level: keyof Logger) => (fields: object, message: string) =>
    lines.push({ level, fields, message });
  const engine = createEngine({
    entry: new URL('../engine/test-model-process.js', import.meta.url),
    keepAliveDefaultSeconds: -1,
    logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    env: {},
    ...options,
    limits: {
      maxLoaded: 4,
      memoryBudgetBytes: 2 ** 40,
      loadTimeoutMs: 20_000,
      queueDepth: 8,
      waitTimeoutMs: 20_000,
      ...options.limits,
    },
  });
  context.after(async () => {
    await engine.close({ timeoutMs: 0 });
    assert.deepEqual(childProcessIds(), []);
  });
  return {
    engine,
    lines,
    spec: (model, options = {}, changes = {}) => ({
      model,
      kind: 'whisper',
      directory: '/nowhere',
      options: { journal, ...options },
      memoryBytes: 1000,
      ...changes,
    }),
    loads: () =>
      readFileSync(journal, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split(' ')[0]!),
  };
}
