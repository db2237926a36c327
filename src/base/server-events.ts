/** Server-sent events as they come over a line (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream). */

export interface ServerEvent {
  /** `message` where the server names none. */
  readonly name: string;
  readonly data: string;
}

/** A server whose line or event never ends must not fill the memory: 16 million characters. */
const MAX_LENGTH = 16 * 1024 ** 2;

/**
 * Events in the order in which they come, however the bytes are cut. Comments and fields that mean nothing here are dropped. The last
 * event counts even if no empty line ends it. Throws what `bytes` throws, and an Error for an event without end.
 */
export async function* readServerEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  let name = '';
  let data: string[] = [];
  let length = 0;
  const take = (): ServerEvent | undefined => {
    const event = data.length === 0 ? undefined : { name: name || 'message', data: data.join('\n') };
    name = '';
    data = [];
    length = 0;
    return event;
  };
  for await (const line of readLines(bytes)) {
    if (line === '') {
      const event = take();
      if (event !== undefined) yield event;
      continue;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    // Older servers of llama.cpp write a failure as a field of its own.
    if (field === 'event' || field === 'error') name = field === 'error' ? field : value;
    if (field === 'data' || field === 'error') {
      data.push(value);
      length += value.length + 1;
      if (length > MAX_LENGTH) throw new Error('The event does not end.');
    }
  }
  const last = take();
  if (last !== undefined) yield last;
}

async function* readLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of bytes) {
    const text = decoder.decode(chunk, { stream: true });
    rest += text;
    if (rest.length > MAX_LENGTH) throw new Error('The line does not end.');
    if (!/[\r\n]/.test(text)) continue;
    // A carriage return at the end may be the first half of a line break.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    yield* lines;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest.replace(/\r$/, '');
}
