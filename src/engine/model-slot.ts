import { type AppError, toAppError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { processTreeMemoryBytes } from './memory.ts';
import type { ModelProcessHandle } from './model-process-handle.ts';
import type { LoadSpec } from './protocol.ts';

export type SlotState = 'loading' | 'ready' | 'closing' | 'gone';

export interface SlotSettings {
  /** Starts the process; the signal ends the loading. */
  start(signal: AbortSignal): Promise<ModelProcessHandle>;
  /** Called after every change of state or of the number of leases. */
  onChange(): void;
  readonly keepAliveDefaultSeconds: number;
  readonly logger: Logger;
}

/** Longer is for ever, as far as a timer of Node can tell (2^31 - 1 ms). */
const MAX_TIMER_SECONDS = 2_147_483;

/**
 * The place of one model, from before its process starts until after it has ended.
 *
 *   loading -> ready -> closing -> gone
 *   loading -> gone                       the load failed
 *   ready -> gone                         the process ended by itself
 *
 * Leases are those who use the model and those who wait for it to load. Only without leases is it evicted, and only
 * then does the keep-alive time run.
 */
export class ModelSlot {
  readonly spec: LoadSpec;
  /** Rejects with the reason when the load fails. */
  readonly loaded: Promise<ModelProcessHandle>;
  /** Resolves when the process is gone and its memory is back. */
  readonly gone: Promise<void>;
  #state: SlotState = 'loading';
  #leases = 0;
  /** Bytes, by estimate until it is loaded and by measurement then, whichever is more. */
  #memoryBytes: number;
  #lastUsedMs = performance.now();
  /** What the request that finished last asked for. */
  #keepAliveSeconds: number;
  /** Runs only in state `ready` without leases. */
  #timer: NodeJS.Timeout | undefined;
  /** To be closed as soon as the last lease ends. */
  #retiring = false;
  #process: ModelProcessHandle | undefined;
  readonly #loading = new AbortController();
  #resolveGone: () => void = () => {};
  readonly #settings: SlotSettings;

  constructor(spec: LoadSpec, settings: SlotSettings) {
    this.spec = spec;
    this.#settings = settings;
    this.#memoryBytes = spec.memoryBytes;
    this.#keepAliveSeconds = spec.keepAliveSeconds ?? settings.keepAliveDefaultSeconds;
    this.gone = new Promise((resolve) => {
      this.#resolveGone = resolve;
    });
    this.loaded = this.#load();
    // Those who wait get the error by their own await; with nobody waiting it has been logged.
    this.loaded.catch(() => {});
  }

  get state(): SlotState {
    return this.#state;
  }

  get process(): ModelProcessHandle | undefined {
    return this.#process;
  }

  get leases(): number {
    return this.#leases;
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  get keepAliveSeconds(): number {
    return this.#keepAliveSeconds;
  }

  get lastUsedMs(): number {
    return this.#lastUsedMs;
  }

  /** Whether a new request may use it; if not, the request waits until it is gone and loads anew. */
  get takesLeases(): boolean {
    return (this.#state === 'loading' || this.#state === 'ready') && !this.#retiring;
  }

  get isIdle(): boolean {
    return this.#state === 'ready' && this.#leases === 0;
  }

  acquire(): void {
    this.#leases += 1;
    clearTimeout(this.#timer);
  }

  /** `keepAliveSeconds`: what this request asked for; undefined for the model's own. */
  release(keepAliveSeconds: number | undefined): void {
    this.#leases -= 1;
    this.#lastUsedMs = performance.now();
    this.#keepAliveSeconds =
      keepAliveSeconds ?? this.spec.keepAliveSeconds ?? this.#settings.keepAliveDefaultSeconds;
    this.#rest();
    this.#settings.onChange();
  }

  /** Ends the process once nobody uses the model; resolves when it is gone. */
  retire(): Promise<void> {
    this.#retiring = true;
    this.#rest();
    return this.gone;
  }

  /** Ends the process at once, whoever uses it; resolves when it is gone. */
  async kill(reason: AppError): Promise<void> {
    this.#retiring = true;
    this.#loading.abort(reason);
    await this.#process?.kill(reason);
    await this.gone;
  }

  async #load(): Promise<ModelProcessHandle> {
    const { model } = this.spec;
    const { logger } = this.#settings;
    logger.info({ model }, 'loading the model');
    try {
      const loaded = await this.#settings.start(this.#loading.signal);
      this.#process = loaded;
      void loaded.ended.then(() => this.#onEnded());
      this.#memoryBytes = Math.max(this.#memoryBytes, await processTreeMemoryBytes(loaded.pid));
      logger.info(
        { model, pid: loaded.pid, seconds: loaded.loadSeconds, bytes: this.#memoryBytes },
        'model loaded',
      );
      if (this.#state === 'loading') this.#become('ready');
      this.#rest();
      return loaded;
    } catch (error) {
      const { code, message } = toAppError(error);
      logger.error({ model, code }, message);
      this.#become('gone');
      throw error;
    }
  }

  /** Lets the keep-alive time run, or ends the process when it must not stay; only when idle. */
  #rest(): void {
    clearTimeout(this.#timer);
    if (!this.isIdle) return;
    const seconds = this.#retiring ? 0 : this.#keepAliveSeconds;
    if (seconds === 0) return void this.#close();
    if (seconds < 0 || seconds > MAX_TIMER_SECONDS) return;
    this.#timer = setTimeout(() => void this.#close(), seconds * 1000).unref();
  }

  async #close(): Promise<void> {
    this.#become('closing');
    await this.#process?.close();
  }

  #onEnded(): void {
    clearTimeout(this.#timer);
    const { model } = this.spec;
    if (this.#state === 'closing') this.#settings.logger.info({ model }, 'model unloaded');
    else this.#settings.logger.error({ model, leases: this.#leases }, 'the model process ended unexpectedly');
    this.#become('gone');
  }

  #become(state: SlotState): void {
    this.#state = state;
    if (state === 'gone') this.#resolveGone();
    this.#settings.onChange();
  }
}
