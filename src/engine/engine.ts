/**
 * Weights in memory: one process for each loaded model, shared by all requests for it, loaded when first asked for,
 * unloaded when idle for long enough or when another model needs the room.
 */
import { EventEmitter, once } from 'node:events';
import { abortError } from '../base/abort.ts';
import { abortable, deadline } from '../base/deadline.ts';
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type Admission, AdmissionGate } from './admission.ts';
import { LoadCrashes } from './load-crashes.ts';
import { processPeakMemoryBytes, processTreeMemoryBytes } from './memory.ts';
import { ModelProcessHandle } from './model-process-handle.ts';
import { ModelSlot, type SlotState } from './model-slot.ts';
import type { CallOptions } from './open-calls.ts';
import type { LoadSpec, ModelKind } from './protocol.ts';
import { Turnstile } from './turnstile.ts';

export interface EngineLimits {
  /** Most models in memory at once. */
  readonly maxLoaded: number;
  /** What all loaded models together may take. A single larger model is loaded alone, with a warning. */
  readonly memoryBudgetBytes: number;
  readonly loadTimeoutMs: number;
  /** Most requests admitted at once. */
  readonly queueDepth: number;
  /** Longest wait for room when all loaded models are busy. */
  readonly waitTimeoutMs: number;
  /** How long a process may work on a cancelled call before it is killed; 10 s when left out. */
  readonly abortTimeoutMs?: number;
  /** How long a process may take to end by itself; 3 s when left out. */
  readonly exitTimeoutMs?: number;
  /** Three crashes at load within this time stop further tries until it has passed; a minute when left out. */
  readonly crashWindowMs?: number;
}

export interface EngineOptions {
  /** The file to fork for each model; it calls `serveModel`. */
  readonly entry: URL | string;
  readonly limits: EngineLimits;
  /** For models and requests that do not say: seconds after the last request, 0 at once, -1 for ever. */
  readonly keepAliveDefaultSeconds: number;
  readonly logger: Logger;
  /** The environment of the model processes, whole. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** What models of a kind have over it. */
  readonly envByKind?: Partial<Record<ModelKind, Readonly<NodeJS.ProcessEnv>>>;
  readonly execArgv?: readonly string[];
}

export interface LeaseOptions {
  readonly signal?: AbortSignal;
  /** Overrides the model's own once this request has finished. */
  readonly keepAliveSeconds?: number;
}

/** The right to use a loaded model; it stays in memory until `release`. */
export interface ModelLease {
  readonly model: string;
  /** How long the model took to load, whenever that was. */
  readonly loadSeconds: number;
  /** Rejects with the model's own error, `cancelled`, or `model_crashed` when its process ends. */
  call(method: string, input: unknown, options?: CallOptions): Promise<unknown>;
  /** May be called more than once. */
  release(): void;
}

export interface ModelState {
  readonly model: string;
  readonly kind: ModelKind;
  readonly state: SlotState;
  /** Undefined while the process starts. */
  readonly pid: number | undefined;
  /** Resident memory of the process and its children now; the estimate while it loads. */
  readonly memoryBytes: number;
  /** The most that the process has held since it began, without its children; undefined where the system does not tell. */
  readonly peakMemoryBytes: number | undefined;
  /** Requests that use the model or wait for it to load. */
  readonly leases: number;
  readonly loadSeconds: number | undefined;
  /** Since the last request finished; 0 while one runs. */
  readonly idleSeconds: number;
  readonly keepAliveSeconds: number;
}

export interface EngineState {
  readonly models: readonly ModelState[];
  /** Requests admitted and not yet answered. */
  readonly admitted: number;
  readonly queueDepth: number;
  readonly isClosing: boolean;
}

const DEFAULT_ABORT_TIMEOUT_MS = 10_000;
const DEFAULT_EXIT_TIMEOUT_MS = 3_000;
const DEFAULT_CRASH_WINDOW_MS = 60_000;
/** The wait was long already: another try makes sense soon. */
const BUSY_RETRY_SECONDS = 5;

export function createEngine(options: EngineOptions): Engine {
  return new Engine(options);
}

export class Engine {
  /** Every model whose process may still hold memory: loading, ready or closing. */
  readonly #slots = new Map<string, ModelSlot>();
  /** Emits `change` after every change of a slot. */
  readonly #changes = new EventEmitter();
  /** Whoever needs room waits at its head, so that nobody is overtaken for ever. */
  readonly #turnstile = new Turnstile();
  readonly #gate: AdmissionGate;
  readonly #crashes: LoadCrashes;
  readonly #options: EngineOptions;
  #isClosing = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#gate = new AdmissionGate(options.limits.queueDepth);
    this.#crashes = new LoadCrashes(options.limits.crashWindowMs ?? DEFAULT_CRASH_WINDOW_MS);
  }

  /** A place for one request, to be taken before its upload is read. Throws `queue_full` or `shutting_down`. */
  admit(): Admission {
    this.#requireOpen();
    return this.#gate.admit();
  }

  /** Runs `task` with the loaded model and gives the model back on every path. Throws as `lease` does. */
  async use<T>(spec: LoadSpec, options: LeaseOptions, task: (model: ModelLease) => Promise<T>): Promise<T> {
    const lease = await this.lease(spec, options);
    try {
      return await task(lease);
    } finally {
      lease.release();
    }
  }

  /**
   * Loads the model unless it is loaded, making room first. Throws the loader's own error, `model_failed`,
   * `model_crashed`, `queue_full` when all loaded models stay busy, `cancelled` or `shutting_down`.
   */
  async lease(spec: LoadSpec, options: LeaseOptions = {}): Promise<ModelLease> {
    this.#requireOpen();
    const { signal, keepAliveSeconds } = options;
    const slot = await this.#slotFor(spec, signal);
    let held = true;
    const release = () => {
      if (held) slot.release(keepAliveSeconds);
      held = false;
    };
    try {
      const loaded = await abortable(slot.loaded, signal);
      return {
        model: spec.model,
        loadSeconds: loaded.loadSeconds,
        call: (method, input, callOptions = {}) => loaded.call(method, input, callOptions),
        release,
      };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** What /health and /metrics show. */
  async state(): Promise<EngineState> {
    return {
      models: await Promise.all([...this.#slots.values()].map(describe)),
      admitted: this.#gate.admitted,
      queueDepth: this.#options.limits.queueDepth,
      isClosing: this.#isClosing,
    };
  }

  /** Unloads once the requests that use the model have finished. False when it is not loaded. */
  async unload(model: string): Promise<boolean> {
    const slot = this.#slots.get(model);
    await slot?.retire();
    return slot !== undefined;
  }

  /** Unloads what nobody uses at this moment; resolves when its memory is back. */
  async unloadIdle(): Promise<void> {
    const idle = [...this.#slots.values()].filter((slot) => slot.isIdle);
    await Promise.all(idle.map((slot) => slot.retire()));
  }

  /** Takes no more, gives the running requests `timeoutMs` to finish, then ends every process. */
  async close({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    this.#isClosing = true;
    this.#changes.emit('change');
    const gone = () => Promise.all([...this.#slots.values()].map((slot) => slot.retire()));
    const limit = deadline(timeoutMs, shuttingDown);
    try {
      await abortable(gone(), limit.signal);
    } catch {
      await Promise.all([...this.#slots.values()].map((slot) => slot.kill(shuttingDown())));
    } finally {
      limit.dispose();
    }
  }

  /** The model's slot with a lease taken, new or not. */
  async #slotFor(spec: LoadSpec, signal: AbortSignal | undefined): Promise<ModelSlot> {
    const limit = deadline(this.#options.limits.waitTimeoutMs, () => this.#busyError(), signal);
    try {
      const leave = await this.#turnstile.enter(limit.signal);
      try {
        for (;;) {
          // A request may have waited here while the server began to close.
          this.#requireOpen();
          const slot = this.#slots.get(spec.model);
          if (slot?.takesLeases) {
            slot.acquire();
            return slot;
          }
          if (slot === undefined && this.#hasRoomFor(spec)) return this.#open(spec);
          if (slot === undefined) this.#evictOne(spec);
          await this.#change(limit.signal);
        }
      } finally {
        leave();
      }
    } finally {
      limit.dispose();
    }
  }

  #open(spec: LoadSpec): ModelSlot {
    this.#crashes.check(spec.model);
    const { memoryBudgetBytes } = this.#options.limits;
    const { logger } = this.#options;
    if (spec.memoryBytes > memoryBudgetBytes) {
      const fields = { model: spec.model, expectedBytes: spec.memoryBytes, memoryBudgetBytes };
      logger.warn(fields, 'the model alone needs more than the memory budget; it is loaded alone');
    }
    const slot = new ModelSlot(spec, {
      start: (signal) => this.#start(spec, signal),
      onChange: () => {
        if (slot.state === 'gone' && this.#slots.get(spec.model) === slot) this.#slots.delete(spec.model);
        this.#changes.emit('change');
      },
      keepAliveDefaultSeconds: this.#options.keepAliveDefaultSeconds,
      logger,
    });
    this.#slots.set(spec.model, slot);
    slot.acquire();
    return slot;
  }

  async #start(spec: LoadSpec, signal: AbortSignal): Promise<ModelProcessHandle> {
    const { entry, execArgv = [], env, envByKind = {}, logger, limits } = this.#options;
    const settings = {
      entry,
      execArgv,
      env: { ...env, ...envByKind[spec.kind] },
      logger,
      loadTimeoutMs: limits.loadTimeoutMs,
      abortTimeoutMs: limits.abortTimeoutMs ?? DEFAULT_ABORT_TIMEOUT_MS,
      exitTimeoutMs: limits.exitTimeoutMs ?? DEFAULT_EXIT_TIMEOUT_MS,
    };
    try {
      const loaded = await ModelProcessHandle.start(spec, settings, signal);
      this.#crashes.forget(spec.model);
      return loaded;
    } catch (error) {
      if (error instanceof AppError && error.code === 'model_crashed') this.#crashes.record(spec.model);
      throw error;
    }
  }

  #hasRoomFor(spec: LoadSpec): boolean {
    const { maxLoaded, memoryBudgetBytes } = this.#options.limits;
    if (this.#slots.size === 0) return true;
    if (this.#holdersOf(spec.device).length > 0) return false;
    const used = [...this.#slots.values()].reduce((total, slot) => total + slot.memoryBytes, 0);
    return this.#slots.size < maxLoaded && used + spec.memoryBytes <= memoryBudgetBytes;
  }

  /** One at a time: the next is chosen once this one's memory is back and was not enough. */
  #evictOne({ device }: LoadSpec): void {
    const holders = this.#holdersOf(device);
    const slots = holders.length > 0 ? holders : [...this.#slots.values()];
    if (slots.some((slot) => slot.state === 'closing')) return;
    const [oldest] = slots.filter((slot) => slot.isIdle).sort((a, b) => a.lastUsedMs - b.lastUsedMs);
    void oldest?.retire();
  }

  #holdersOf(device: string | undefined): ModelSlot[] {
    return device === undefined ? [] : [...this.#slots.values()].filter(({ spec }) => spec.device === device);
  }

  async #change(signal: AbortSignal): Promise<void> {
    try {
      await once(this.#changes, 'change', { signal });
    } catch {
      throw abortError(signal);
    }
  }

  #requireOpen(): void {
    if (this.#isClosing) throw shuttingDown();
  }

  #busyError(): AppError {
    const names = [...this.#slots.keys()].join(', ');
    const seconds = this.#options.limits.waitTimeoutMs / 1000;
    return new AppError(
      'queue_full',
      `No room for the model became free within ${seconds} s: the loaded ones (${names}) are all busy. ` +
        'Try again later, or raise models.max_loaded or the memory budget on the server.',
      { retryAfterSeconds: BUSY_RETRY_SECONDS },
    );
  }
}

function shuttingDown(): AppError {
  return new AppError('shutting_down', 'The server is shutting down. Try again when it is back.');
}

async function describe(slot: ModelSlot): Promise<ModelState> {
  const { spec, process: running } = slot;
  const measured = running === undefined ? 0 : await processTreeMemoryBytes(running.pid);
  return {
    model: spec.model,
    kind: spec.kind,
    state: slot.state,
    pid: running?.pid,
    memoryBytes: measured || slot.memoryBytes,
    peakMemoryBytes: running === undefined ? undefined : await processPeakMemoryBytes(running.pid),
    leases: slot.leases,
    loadSeconds: running?.loadSeconds,
    idleSeconds: slot.isIdle ? (performance.now() - slot.lastUsedMs) / 1000 : 0,
    keepAliveSeconds: slot.keepAliveSeconds,
  };
}
