/** A server on a free port that answers byte for byte what a test has written down, as Ollama, vLLM and llama.cpp would. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';

export interface Heard {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
}

export type Scene = (response: ServerResponse, heard: Heard) => void;

export interface LanguageServer {
  readonly url: string;
  readonly heard: Heard[];
}

/** Each request gets the next scene, those behind the last one the last. */
export async function startLanguageServer(
  t: TestContext,
  ...scenes: readonly Scene[]
): Promise<LanguageServer> {
  const heard: Heard[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const one: Heard = {
      method: request.method!,
      url: request.url!,
      headers: request.headers,
      body: body === '' ? {} : (JSON.parse(body) as Record<string, unknown>),
    };
    heard.push(one);
    scenes[Math.min(heard.length, scenes.length) - 1]!(response, one);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, heard };
}

export function answers(
  status: number,
  body: object | string,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Scene {
  return (response) => {
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

/** Server-sent events, each piece a write of its own. */
export function streams(...pieces: readonly (string | Uint8Array)[]): Scene {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const piece of pieces) response.write(piece);
    response.end();
  };
}

export function event(value: object | string): string {
  return `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`;
}

export function chunk(delta: object, finish_reason: string | null = null): string {
  return event({
    object: 'chat.completion.chunk',
    model: 'qwen3:4b',
    choices: [{ index: 0, delta, finish_reason }],
  });
}
