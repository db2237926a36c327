/** A WebSocket client that keeps what it is sent. */
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { type ClientOptions, WebSocket } from 'ws';

export interface ReceivedEvent {
  readonly type: string;
  readonly event_id: string;
  readonly [field: string]: unknown;
}

export interface RealtimeClient {
  readonly socket: WebSocket;
  readonly events: readonly ReceivedEvent[];
  /** Resolves to the close code. */
  readonly closed: Promise<number>;
  /** An object is sent as JSON, a text as it is, bytes as a binary frame. */
  send(message: object | string | Uint8Array): void;
  /** The first event that is accepted, whether it has come or not; rejects when the connection closes before. */
  next(accepts: string | ((event: ReceivedEvent) => boolean)): Promise<ReceivedEvent>;
}

export interface ConnectOptions extends ClientOptions {
  readonly protocols?: string[];
  readonly query?: string;
}

/** Connects to a server's /v1/realtime and closes after the test. Rejects with the server's status when it is refused. */
export async function connectRealtime(
  context: Pick<TestContext, 'after'>,
  url: string,
  { protocols = [], query = 'intent=transcription', ...options }: ConnectOptions = {},
): Promise<RealtimeClient> {
  const address = `${url.replace('http', 'ws')}/v1/realtime?${query}`;
  const socket = new WebSocket(address, protocols, options);
  context.after(() => socket.terminate());
  const events: ReceivedEvent[] = [];
  let wakers: (() => void)[] = [];
  const wake = () => {
    for (const one of wakers) one();
    wakers = [];
  };
  socket.on('message', (data) => {
    events.push(JSON.parse(String(data)) as ReceivedEvent);
    wake();
  });
  socket.on('close', wake);
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await once(socket, 'open');
  return {
    socket,
    events,
    closed,
    send(message) {
      const isPlain = typeof message === 'string' || message instanceof Uint8Array;
      socket.send(isPlain ? message : JSON.stringify(message));
    },
    async next(accepts) {
      const isWanted = typeof accepts === 'string' ? ({ type }: ReceivedEvent) => type === accepts : accepts;
      for (;;) {
        const found = events.find(isWanted);
        if (found !== undefined) return found;
        if (socket.readyState === socket.CLOSED) {
          throw new Error(`The connection closed before the event; it had sent ${JSON.stringify(events)}.`);
        }
        await new Promise<void>((resolve) => wakers.push(resolve));
      }
    },
  };
}
