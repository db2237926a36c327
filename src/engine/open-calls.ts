import { abortError } from '../base/abort.ts';
import { type AppError, fromWireError } from '../base/errors.ts';
import { type ChunkFeed, feedChunks } from './chunk-feed.ts';
import type { FromModelProcess, ToModelProcess } from './protocol.ts';

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Called for each event of this call, in order, never after the call has settled. */
  readonly onEvent?: (event: unknown) => void;
  /** Input that comes while the call runs, read as fast as the model takes it. When it throws, the call is aborted with its error. */
  readonly chunks?: AsyncIterable<unknown>;
}

export interface CallRequest {
  readonly method: string;
  readonly input: unknown;
}

export interface CallTransport {
  send(message: ToModelProcess): void;
  /** An aborted call was not answered in time. */
  onUnanswered(): void;
  readonly abortTimeoutMs: number;
}

type CallMessage = Extract<FromModelProcess, { id: number }>;

interface OpenCall {
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly onEvent: ((event: unknown) => void) | undefined;
  readonly stopListening: () => void;
  readonly feed: ChunkFeed | undefined;
}

/**
 * The calls that a process is working on.
 *
 *   open -> settled                  result, error, or the end of the process
 *   open -> aborted -> answered      the caller is rejected at once; the process must answer in time
 */
export class OpenCalls {
  readonly #open = new Map<number, OpenCall>();
  /** Aborted calls that the process has not answered yet, with the timer that runs meanwhile. */
  readonly #aborted = new Map<number, NodeJS.Timeout>();
  #lastId = 0;
  readonly #transport: CallTransport;

  constructor(transport: CallTransport) {
    this.#transport = transport;
  }

  open(request: CallRequest, { signal, onEvent, chunks }: CallOptions): Promise<unknown> {
    if (signal?.aborted) return Promise.reject(abortError(signal));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const onAbort = () => this.#abort(id, abortError(signal!));
      const stopListening = () => signal?.removeEventListener('abort', onAbort);
      // Throws, and so rejects, for an input that cannot be cloned.
      this.#transport.send({ type: 'call', id, ...request, isStreamed: chunks !== undefined });
      signal?.addEventListener('abort', onAbort, { once: true });
      const feed = chunks === undefined ? undefined : this.#feed(id, chunks);
      this.#open.set(id, { resolve, reject, onEvent, stopListening, feed });
    });
  }

  receive(message: CallMessage): void {
    const call = this.#open.get(message.id);
    if (message.type === 'event') {
      if (call !== undefined) this.#deliver(message.id, call, message.event);
      return;
    }
    if (message.type === 'taken') {
      call?.feed?.taken();
      return;
    }
    // The answer to an aborted call has nobody to go to; what counts is that it came.
    clearTimeout(this.#aborted.get(message.id));
    this.#aborted.delete(message.id);
    if (call === undefined) return;
    this.#settle(message.id, call);
    if (message.type === 'result') call.resolve(message.output);
    else call.reject(fromWireError(message.error));
  }

  /** The process has ended. */
  failAll(error: AppError): void {
    for (const timer of this.#aborted.values()) clearTimeout(timer);
    this.#aborted.clear();
    for (const [id, call] of this.#open) {
      this.#settle(id, call);
      call.reject(error);
    }
  }

  #feed(id: number, chunks: AsyncIterable<unknown>): ChunkFeed {
    return feedChunks(chunks, {
      send: (chunk) => this.#transport.send({ type: 'chunk', id, chunk }),
      end: () => this.#transport.send({ type: 'end', id }),
      fail: (error) => this.#abort(id, error),
    });
  }

  /** A listener that throws ends its own call, not the server. */
  #deliver(id: number, call: OpenCall, event: unknown): void {
    try {
      call.onEvent?.(event);
    } catch (error) {
      this.#abort(id, error);
    }
  }

  #abort(id: number, error: unknown): void {
    const call = this.#open.get(id);
    if (call === undefined) return;
    this.#settle(id, call);
    const timer = setTimeout(() => this.#transport.onUnanswered(), this.#transport.abortTimeoutMs);
    this.#aborted.set(id, timer);
    this.#transport.send({ type: 'abort', id });
    call.reject(error);
  }

  #settle(id: number, call: OpenCall): void {
    this.#open.delete(id);
    call.stopListening();
    call.feed?.stop();
  }
}
