import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { abortError, throwIfAborted } from '../base/abort.ts';
import { AppError } from '../base/errors.ts';
import { splitLines } from '../base/line-splitter.ts';
import { unsupportedAudio } from './audio-file.ts';
import type { DecodeLimits, Pcm } from './pcm.ts';
import { PcmCollector } from './pcm-collector.ts';

/** A program that writes 16 kHz mono float32 to its standard output. */
export interface DecoderCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** Address space, Linux only. */
  readonly memoryBytes: number;
  /** Called for each line on standard error; what it throws ends the child and is thrown on. */
  readonly onLine?: (line: string) => void;
}

export interface DecoderExit {
  /** False when the program does not exist or cannot be started. */
  readonly started: boolean;
  readonly code: number | null;
  readonly killedBy: NodeJS.Signals | null;
  /** The last lines on standard error. */
  readonly lines: readonly string[];
  /** Seconds of audio that were received. */
  readonly seconds: number;
  /** What was received, if the program ended well; throws `audio_too_short`. */
  pcm(): Pcm;
}

/** A shell's status for a program that cannot be found or executed, and for one whose libraries are missing. */
const NOT_FOUND_STATUSES = [126, 127];
const KEPT_LINES = 40;
const MAX_LINE_LENGTH = 500;
/** A killed process is gone within milliseconds; one that waits for a broken disk is not waited for. */
const KILL_WAIT_MS = 1_000;

/**
 * Runs the program until it ends, under limits of time, memory, CPU and output, and without the right to write files.
 * Throws `cancelled`, `timeout` or `audio_too_long`, with the process killed; any other ending is told by the result.
 */
export async function runDecoder(command: DecoderCommand, limits: DecodeLimits): Promise<DecoderExit> {
  throwIfAborted(limits.signal);
  const collector = new PcmCollector(limits);
  const lines: string[] = [];
  const child = spawnLimited(command, limits);
  let failure: unknown;
  const fail = (error: unknown) => {
    failure ??= error;
    child.kill('SIGKILL');
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  const guarded = (action: () => void) => {
    if (failure !== undefined) return;
    try {
      action();
    } catch (error) {
      fail(error);
    }
  };
  const onAbort = () => fail(abortError(limits.signal));
  const timer = setTimeout(() => fail(timeoutError(limits)), limits.timeoutMs);
  limits.signal.addEventListener('abort', onAbort, { once: true });
  child.stdout?.on('data', (chunk: Buffer) => guarded(() => collector.add(chunk)));
  const splitter = splitLines(MAX_LINE_LENGTH, (line) => {
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
    guarded(() => command.onLine?.(line));
  });
  child.stderr?.on('data', (chunk: Buffer) => splitter.add(chunk));
  try {
    const exit = await ended(child);
    splitter.end();
    if (failure !== undefined) throw failure;
    if (exit.code !== 0) collector.discard();
    return { ...exit, lines, seconds: collector.seconds, pcm: () => collector.finish() };
  } catch (error) {
    collector.discard();
    throw error;
  } finally {
    clearTimeout(timer);
    limits.signal.removeEventListener('abort', onAbort);
  }
}

/** The error of a decoder that a signal ended, or of one that ended by itself without audio. */
export function decoderFailure(exit: DecoderExit, output = exit.lines.join('\n')): AppError {
  const cause = new Error(`The decoder ended with ${exit.killedBy ?? exit.code}: ${output}`);
  if (exit.killedBy === null) {
    return unsupportedAudio('The file has no audio that could be decoded. Check that it plays.', cause);
  }
  return unsupportedAudio(
    `The decoder was ended by ${exit.killedBy}: the file is damaged, or needs more memory or time than is allowed. ` +
      'Check that it plays, or convert it to WAV, MP3 or FLAC.',
    cause,
  );
}

/** The limits are set by a shell that then becomes the program, so that the process id stays the one to kill. */
function spawnLimited(command: DecoderCommand, limits: DecodeLimits): ChildProcess {
  const options: SpawnOptions = { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true };
  if (process.platform === 'win32') return spawn(command.file, [...command.args], options);
  const cpuSeconds = Math.ceil(limits.timeoutMs / 1000) + 1;
  const settings = [`ulimit -t ${cpuSeconds}`, 'ulimit -f 0', 'ulimit -c 0'];
  if (process.platform === 'linux') settings.push(`ulimit -v ${Math.ceil(command.memoryBytes / 1024)}`);
  // A lower hard limit of the machine's own stays in force; setting ours then fails, which is fine.
  const script = `${settings.map((setting) => `${setting} 2>/dev/null`).join('; ')}; exec "$@"`;
  return spawn('sh', ['-c', script, 'sh', command.file, ...command.args], options);
}

/** `close` comes after the last byte of both streams; a killed child's streams are destroyed already. */
async function ended(child: ChildProcess): Promise<Pick<DecoderExit, 'started' | 'code' | 'killedBy'>> {
  const killed = new AbortController();
  const closed = once(child, 'close', { signal: killed.signal });
  let timer: NodeJS.Timeout | undefined;
  child.stdout?.once('close', () => {
    if (!child.killed) return;
    timer = setTimeout(() => killed.abort(), KILL_WAIT_MS);
  });
  try {
    const [code, killedBy] = (await closed) as [number | null, NodeJS.Signals | null];
    return { started: !NOT_FOUND_STATUSES.includes(code ?? 0), code, killedBy };
  } catch {
    // Only a program that could not be started, or one that cannot even be killed.
    return { started: child.pid !== undefined, code: null, killedBy: null };
  } finally {
    clearTimeout(timer);
  }
}

function timeoutError(limits: DecodeLimits): AppError {
  return new AppError(
    'timeout',
    `The audio was not decoded within ${limits.timeoutMs / 1000} s. Send a shorter recording, or raise the limit on the server.`,
  );
}
