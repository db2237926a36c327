/**
 * The engine's side of one model process: starts it, loads its model, carries calls to it, and ends it.
 *
 *   starting -> loaded -> ended        `ended` is final: every open call is rejected and no new one is taken
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { Readable } from 'node:stream';
import { abortError, throwIfAborted } from '../base/abort.ts';
import { AppError, fromWireError } from '../base/errors.ts';
import { splitLines } from '../base/line-splitter.ts';
import type { Logger } from '../base/logger.ts';
import { countMemoryKills } from './memory.ts';
import { type CallOptions, OpenCalls } from './open-calls.ts';
import type { FromModelProcess, LoadSpec, ToModelProcess } from './protocol.ts';

export interface ProcessSettings {
  /** The file to fork, which calls `serveModel`. */
  readonly entry: URL | string;
  readonly execArgv: readonly string[];
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly loadTimeoutMs: number;
  /** How long a process may go on with an aborted call before it is killed. */
  readonly abortTimeoutMs: number;
  /** How long a process may take to end by itself. */
  readonly exitTimeoutMs: number;
  readonly logger: Logger;
}

/** A line of a native library's output, not a dump of a tensor. */
const MAX_LINE_LENGTH = 2_000;

export class ModelProcessHandle {
  readonly spec: LoadSpec;
  readonly pid: number;
  /** Resolves once the process is gone and its memory is back. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #calls: OpenCalls;
  readonly #settings: ProcessSettings;
  /** Why it ended or must end; the first reason stays. */
  #failure: AppError | undefined;
  /** Whether the engine asked for the end. */
  #closing = false;
  /** Told apart by it: whether memory ran out, or somebody killed the process. */
  readonly #memoryKillsBefore = countMemoryKills();
  #loadedSeconds: number | undefined;
  #onLoaded: (outcome: AppError | undefined) => void = () => {};

  /** Starts a process and loads the model. Rejects, with the process gone, when that fails or the signal fires. */
  static async start(
    spec: LoadSpec,
    settings: ProcessSettings,
    signal: AbortSignal,
  ): Promise<ModelProcessHandle> {
    throwIfAborted(signal);
    const handle = new ModelProcessHandle(spec, settings);
    const onAbort = () => handle.#kill(abortError(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    await handle.#load().finally(() => signal.removeEventListener('abort', onAbort));
    return handle;
  }

  private constructor(spec: LoadSpec, settings: ProcessSettings) {
    this.spec = spec;
    this.#settings = settings;
    this.#child = fork(settings.entry, [], {
      serialization: 'advanced',
      execArgv: [...settings.execArgv],
      env: settings.env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.pid = this.#child.pid ?? 0;
    this.#calls = new OpenCalls({
      send: (message) => this.#send(message),
      onUnanswered: () => this.#kill(this.#unansweredError()),
      abortTimeoutMs: settings.abortTimeoutMs,
    });
    this.#log(this.#child.stdout, 'info');
    this.#log(this.#child.stderr, 'warn');
    this.#child.on('message', (message: FromModelProcess) => this.#receive(message));
    this.ended = new Promise((resolve) => {
      const onEnd = (reason: string) => {
        this.#failure ??= this.#endError(reason);
        this.#onLoaded(this.#failure);
        this.#calls.failAll(this.#failure);
        resolve();
      };
      this.#child.once('exit', (code, signal) => onEnd(signal ?? `exit code ${code}`));
      // Also emitted for a message that could not be sent: only a process that never was has no id.
      this.#child.on('error', (error) => {
        if (this.#child.pid === undefined) onEnd(error.message);
      });
    });
  }

  /** How long the model took to load, inside its process. */
  get loadSeconds(): number {
    return this.#loadedSeconds ?? 0;
  }

  call(method: string, input: unknown, options: CallOptions): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return this.#calls.open({ method, input }, options);
  }

  /** Asks the process to end and waits until it has; kills it when it does not. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), this.#settings.exitTimeoutMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** Ends the process at once; open calls are rejected with the reason. */
  async kill(reason: AppError): Promise<void> {
    this.#kill(reason);
    await this.ended;
  }

  async #load(): Promise<void> {
    const { loadTimeoutMs } = this.#settings;
    const timer = setTimeout(() => this.#kill(this.#loadTimeoutError()), loadTimeoutMs);
    const outcome = new Promise<AppError | undefined>((resolve) => {
      this.#onLoaded = resolve;
    });
    this.#send({ type: 'load', spec: this.spec });
    const failure = await outcome;
    clearTimeout(timer);
    if (failure === undefined) return;
    await this.kill(failure);
    throw failure;
  }

  #receive(message: FromModelProcess): void {
    switch (message.type) {
      case 'loaded':
        this.#loadedSeconds = message.seconds;
        this.#onLoaded(undefined);
        break;
      case 'failed':
        this.#onLoaded(fromWireError(message.error));
        break;
      default:
        this.#calls.receive(message);
    }
  }

  /** Throws for a value that cannot be cloned; that the process has gone is told by its exit. */
  #send(message: ToModelProcess): void {
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #kill(reason: AppError): void {
    this.#failure ??= reason;
    this.#child.kill('SIGKILL');
  }

  /** The streams are null when the process could not be started for want of file descriptors. */
  #log(stream: Readable | null, level: 'info' | 'warn'): void {
    const fields = { model: this.spec.model, pid: this.pid };
    const splitter = splitLines(MAX_LINE_LENGTH, (line) => this.#settings.logger[level](fields, line));
    stream?.on('data', (chunk: Buffer) => splitter.add(chunk));
    stream?.on('close', () => splitter.end());
  }

  #endError(reason: string): AppError {
    const { model } = this.spec;
    if (this.#closing) {
      return new AppError('shutting_down', `The model ${model} was unloaded while it worked on the request.`);
    }
    if (reason === 'SIGKILL' && countMemoryKills() > this.#memoryKillsBefore) {
      return new AppError(
        'out_of_memory',
        `The system ended the process of the model ${model} because memory ran out. Take a smaller model, or give the machine or container more.`,
      );
    }
    return new AppError(
      'model_crashed',
      `The process of the model ${model} ended unexpectedly (${reason}). The next request starts a new one: try again.`,
    );
  }

  #loadTimeoutError(): AppError {
    const seconds = this.#settings.loadTimeoutMs / 1000;
    return new AppError(
      'model_failed',
      `The model ${this.spec.model} did not load within ${seconds} s. Raise the limit, or free memory on this machine.`,
    );
  }

  #unansweredError(): AppError {
    const seconds = this.#settings.abortTimeoutMs / 1000;
    return new AppError(
      'model_crashed',
      `The process of the model ${this.spec.model} was ended because it did not stop a cancelled request within ` +
        `${seconds} s. The next request starts a new one: try again.`,
    );
  }
}
