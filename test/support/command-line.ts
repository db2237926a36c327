/** Commands in this process, in a data directory of their own; what they write is collected. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { Command } from 'commander';
import { addGlobalOptions, type CliContext, createContext } from '../../src/cli/context.ts';
import { temporaryFolder } from './temporary.ts';

export interface CommandsOptions {
  readonly commands: readonly ((program: Command, context: CliContext) => void)[];
  readonly env?: Record<string, string>;
  /** Where a command needs tasks. */
  readonly openTasks?: CliContext['openTasks'];
  /** Standard error is a terminal. */
  readonly isTerminal?: boolean;
  /** Ctrl-C. */
  readonly signal?: AbortSignal;
}

export interface Written {
  readonly stdout: string;
  readonly stderr: string;
  /** It went on, but has failed. */
  readonly hasFailed: boolean;
}

/** Runs one command line after the other. Rejects with what a command throws, which has `written` by then. */
export async function runCommands(
  t: TestContext,
  { commands, env = {}, openTasks, isTerminal = false, signal }: CommandsOptions,
): Promise<(...words: string[]) => Promise<Written>> {
  const home = await temporaryFolder(t);
  return async (...words) => {
    const written = { stdout: '', stderr: '', hasFailed: false };
    const output = (name: 'stdout' | 'stderr') => ({
      isTTY: isTerminal && name === 'stderr',
      write: (text: string) => {
        written[name] += text;
      },
    });
    const program = addGlobalOptions(new Command('percept').exitOverride());
    const context = createContext({
      program,
      env: {
        HOME: home,
        PERCEPT_HOME: home,
        PIP_INDEX_URL: 'http://127.0.0.1:9',
        HF_ENDPOINT: 'http://127.0.0.1:9',
        ...env,
      },
      stdin: Readable.from([]),
      stdout: output('stdout'),
      stderr: output('stderr'),
      signal: signal ?? AbortSignal.timeout(30_000),
      openSpeech: () => assert.fail('these commands run no model'),
      openLanguage: () => assert.fail('these commands run no model'),
      openVision: () => assert.fail('these commands run no model'),
      openTasks: openTasks ?? (() => assert.fail('these commands know no tasks')),
      startService: () => assert.fail('these commands start no server'),
      fail: () => {
        written.hasFailed = true;
      },
    });
    for (const register of commands) register(program, context);
    try {
      await program.parseAsync(words, { from: 'user' });
    } catch (error) {
      if (error instanceof Error) Object.assign(error, { written });
      throw error;
    }
    return written;
  };
}
