/** The data directory of the model tests: weights are downloaded once and kept between runs. */
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { devNull, homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type App, createApp } from '../../src/app.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { type Environment, readEnvironment } from '../../src/config/environment.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Flags } from '../../src/config/sources.ts';

/** Given to `--config`, so that no file of the developer's own is read. */
export const NO_CONFIG_FILE = devNull;

/** Where PERCEPT_TEST_HOME says, else in the user's cache directory. */
export function testHome(): string {
  const env = readEnvironment();
  return (
    env['PERCEPT_TEST_HOME'] ||
    join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'percept-test-models')
  );
}

/**
 * The environment of a process under test: this one's, without what a developer has set for a Percept of their own, but with
 * the places to download from.
 */
export function testEnvironment(changes: Environment = {}): Environment {
  const kept = Object.entries(readEnvironment()).filter(
    ([name]) => !name.startsWith('PERCEPT_') || name.startsWith('PERCEPT_SOURCES_'),
  );
  return {
    ...Object.fromEntries(kept),
    PERCEPT_HOME: testHome(),
    PERCEPT_LOG_FORMAT: 'json',
    ...changes,
  };
}

export interface OwnHome {
  readonly path: string;
  remove(): Promise<void>;
}

/** A data directory with tasks and recordings of its own, and the weights of the test home. */
export async function ownHome(): Promise<OwnHome> {
  const path = await mkdtemp(join(tmpdir(), 'percept-home-'));
  for (const name of ['models', 'cache']) {
    await mkdir(join(testHome(), name), { recursive: true });
    await symlink(join(testHome(), name), join(path, name));
  }
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** An application of this process over the test home; to be closed by the caller. */
export function openApp(flags: Flags = {}): App {
  const env = testEnvironment();
  const { config } = loadConfig({ env, flags, configFile: NO_CONFIG_FILE });
  return createApp({ config, env, logger: silentLogger });
}
