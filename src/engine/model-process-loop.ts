/**
 * The inside of a model process: loads one model, answers calls, ends when the engine goes. The engine decides when:
 * a Ctrl-C reaches the whole process group, so SIGINT and SIGTERM are ignored here.
 */
import { abortError, throwIfAborted } from '../base/abort.ts';
import { type Channel, createChannel } from '../base/channel.ts';
import { AppError, toWireError } from '../base/errors.ts';
import type { FromModelProcess, LoadedModel, LoadSpec, ModelKind, ToModelProcess } from './protocol.ts';

/** Imports the loader of a kind only when it is needed. */
export type ModelLoaders = Partial<Record<ModelKind, () => Promise<ModelLoader>>>;

export interface ModelLoader {
  load(spec: LoadSpec): Promise<LoadedModel>;
}

/** The engine sends SIGKILL after three seconds; a model that closes slowly should not need it. */
const CLOSE_TIMEOUT_MS = 2_000;

/** Serves until the IPC channel closes, then ends the process. */
export function serveModel(loaders: ModelLoaders): void {
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  const calls = new Map<number, RunningCall>();
  let model: LoadedModel | undefined;

  process.on('message', (message: ToModelProcess) => {
    switch (message.type) {
      case 'load':
        void load(message.spec, loaders).then((loaded) => {
          model = loaded;
        });
        break;
      case 'call':
        void answer(message, { model, calls });
        break;
      case 'abort':
        calls.get(message.id)?.controller.abort(new AppError('cancelled', 'The request was cancelled.'));
        break;
      case 'chunk':
        calls.get(message.id)?.chunks.push(message.chunk);
        break;
      case 'end':
        calls.get(message.id)?.chunks.end();
        break;
      default:
        message satisfies never;
    }
  });
  process.on('disconnect', () => {
    for (const call of calls.values())
      call.controller.abort(new AppError('shutting_down', 'The server is shutting down.'));
    setTimeout(() => process.exit(0), CLOSE_TIMEOUT_MS).unref();
    void Promise.resolve(model?.close()).finally(() => process.exit(0));
  });
}

async function load(spec: LoadSpec, loaders: ModelLoaders): Promise<LoadedModel | undefined> {
  const begun = performance.now();
  try {
    const importLoader = loaders[spec.kind];
    if (importLoader === undefined) {
      throw new AppError(
        'unsupported_model',
        `No loader reads models of the kind "${spec.kind}" (${spec.model}).`,
      );
    }
    const model = await (await importLoader()).load(spec);
    send({ type: 'loaded', seconds: (performance.now() - begun) / 1000 });
    return model;
  } catch (error) {
    report(error);
    send({ type: 'failed', error: toWireError(error) });
    return undefined;
  }
}

interface Serving {
  readonly model: LoadedModel | undefined;
  readonly calls: Map<number, RunningCall>;
}

interface RunningCall {
  readonly controller: AbortController;
  /** Streamed input that the model has not taken: one chunk at most, as the engine waits for `taken`. */
  readonly chunks: Channel<unknown>;
}

async function answer(message: ToModelProcess & { type: 'call' }, serving: Serving): Promise<void> {
  const { id, method, input, isStreamed } = message;
  const controller = new AbortController();
  const { signal } = controller;
  const chunks = createChannel<unknown>();
  if (!isStreamed) chunks.end();
  signal.addEventListener('abort', () => chunks.fail(abortError(signal)), { once: true });
  serving.calls.set(id, { controller, chunks });
  try {
    if (serving.model === undefined) throw new Error(`call "${method}" came before the model was loaded`);
    const output = await serving.model.call(method, input, {
      signal,
      chunks: acknowledged(id, chunks),
      emit: (event) => {
        if (!signal.aborted) send({ type: 'event', id, event });
      },
    });
    throwIfAborted(signal);
    send({ type: 'result', id, output });
  } catch (error) {
    if (!signal.aborted) report(error);
    send({ type: 'error', id, error: toWireError(error) });
  } finally {
    serving.calls.delete(id);
    chunks.end();
  }
}

async function* acknowledged(id: number, chunks: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  for await (const chunk of chunks) {
    send({ type: 'taken', id });
    yield chunk;
  }
}

/** Only the message of an error crosses to the engine; where an unexpected one came from is kept in the log. */
function report(error: unknown): void {
  if (error instanceof AppError && error.code !== 'internal') return;
  console.error(error);
}

/** Throws only for a value that cannot be cloned; when the engine has gone, `disconnect` says so. */
function send(message: FromModelProcess): void {
  if (process.connected) process.send!(message, undefined, {}, () => {});
}
