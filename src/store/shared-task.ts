/** One piece of work for everybody in this process who asks for the same; it is aborted when the last of them has gone. */
import { abortError } from '../base/abort.ts';

export interface Asker<Event> {
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: Event) => void) | undefined;
}

type Work<Event, Result> = (signal: AbortSignal, emit: (event: Event) => void) => Promise<Result>;

export class SharedTasks<Event, Result> {
  /** Work under way, by key; an entry leaves when its work has ended or was given up. */
  readonly #running = new Map<string, RunningTask<Event, Result>>();

  /** Joins the work under way for `key`, or starts it. An asker whose signal fires leaves at once with `cancelled`. */
  run(key: string, work: Work<Event, Result>, asker: Asker<Event>): Promise<Result> {
    if (asker.signal?.aborted) return Promise.reject(abortError(asker.signal));
    const task = this.#running.get(key) ?? this.#start(key, work);
    return this.#join(key, task, asker);
  }

  /** Aborts everything and waits until it has ended. */
  async abortAll(reason: unknown): Promise<void> {
    const tasks = [...this.#running.values()];
    for (const task of tasks) task.controller.abort(reason);
    await Promise.allSettled(tasks.map((task) => task.result));
  }

  #start(key: string, work: Work<Event, Result>): RunningTask<Event, Result> {
    const controller = new AbortController();
    const askers = new Set<Asker<Event>>();
    const emit = (event: Event) => {
      for (const asker of askers) asker.onEvent?.(event);
    };
    const task = { controller, askers, result: work(controller.signal, emit) };
    this.#running.set(key, task);
    const leave = () => this.#forget(key, task);
    task.result.then(leave, leave);
    return task;
  }

  #join(key: string, task: RunningTask<Event, Result>, asker: Asker<Event>): Promise<Result> {
    task.askers.add(asker);
    return new Promise<Result>((resolve, reject) => {
      const onAbort = () => {
        task.askers.delete(asker);
        reject(abortError(asker.signal!));
        if (task.askers.size > 0) return;
        // A newcomer must start afresh, not join what is being given up.
        this.#forget(key, task);
        task.controller.abort(asker.signal!.reason);
      };
      asker.signal?.addEventListener('abort', onAbort, { once: true });
      task.result.then(resolve, reject).finally(() => asker.signal?.removeEventListener('abort', onAbort));
    });
  }

  #forget(key: string, task: RunningTask<Event, Result>): void {
    if (this.#running.get(key) === task) this.#running.delete(key);
  }
}

interface RunningTask<Event, Result> {
  readonly controller: AbortController;
  readonly askers: Set<Asker<Event>>;
  readonly result: Promise<Result>;
}
