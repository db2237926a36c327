/** Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) as the answer to a request. */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

export interface EventStream {
  /** The answer has begun, so an error can no longer change its status. */
  readonly isOpen: boolean;
  /** Begins the answer, if it has not. */
  open(): void;
  /** Sends `data` as JSON; `name` is the event's name where it is not `message`. Nothing happens once the client has gone. */
  send(data: unknown, name?: string): void;
  /** Sends `[DONE]`, by which OpenAI's clients know that a conversation's stream is whole. */
  sendDone(): void;
  /** Ends the answer, if it has begun, and the timers. Always to be called. */
  close(): void;
}

export interface EventStreamLimits {
  /** A comment is sent after so long without an event, or a proxy would take the connection for dead. It may begin the answer. */
  readonly pingMs: number;
  /** A client that reads nothing for so long is cut off. */
  readonly stalledMs: number;
}

const LIMITS: EventStreamLimits = { pingMs: 15_000, stalledMs: 60_000 };

/**
 * What the client has not read yet waits in memory; the caller bounds it by what it sends, a transcript's text at most. Comments are
 * only sent when nothing waits.
 */
export function createEventStream(reply: FastifyReply, limits: EventStreamLimits = LIMITS): EventStream {
  const body = new Readable({ read() {} });
  let isOpen = false;
  const ping = setInterval(() => {
    open();
    if (body.readableLength === 0 && !reply.raw.writableNeedDrain) write(': ping\n\n');
  }, limits.pingMs);
  reply.raw.once('close', () => clearInterval(ping));

  function open(): void {
    if (isOpen) return;
    isOpen = true;
    reply.raw.setTimeout(limits.stalledMs, () => reply.raw.destroy());
    void reply
      .header('content-type', 'text/event-stream; charset=utf-8')
      .header('cache-control', 'no-cache')
      // nginx would collect the events and send them together.
      .header('x-accel-buffering', 'no')
      .send(body);
  }

  function write(text: string): void {
    if (!body.destroyed && !reply.raw.destroyed) body.push(text);
  }

  return {
    get isOpen() {
      return isOpen;
    },
    open,
    send(data, name) {
      open();
      ping.refresh();
      // JSON has no line breaks, so the data is one line.
      write(`${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`);
    },
    sendDone() {
      open();
      write('data: [DONE]\n\n');
    },
    close() {
      clearInterval(ping);
      if (isOpen && !body.destroyed) body.push(null);
    },
  };
}
