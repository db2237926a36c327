/** Real HTTP servers on free ports of this machine that speak as the hub, its content network and a package index do. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { type Files, sha256 } from './fixtures.ts';

export interface Answering {
  readonly url: string;
  readonly requests: IncomingMessage[];
}

export async function listen(t: TestContext, answer: RequestListener): Promise<Answering> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** Sends content as a server with byte ranges does. */
export function send(request: IncomingMessage, response: ServerResponse, content: Buffer): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (from >= content.length && from > 0) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  if (from > 0) {
    response.writeHead(206, {
      'content-length': content.length - from,
      'content-range': `bytes ${from}-${content.length - 1}/${content.length}`,
    });
  } else response.writeHead(200, { 'content-length': content.length });
  response.end(content.subarray(from));
}

/** Announces everything, sends `bytes` of it and breaks the line. */
export function cut(
  request: IncomingMessage,
  response: ServerResponse,
  { content, bytes }: { content: Buffer; bytes: number },
): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const range = { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` };
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': content.length - from,
    ...(from > 0 ? range : {}),
  });
  response.write(content.subarray(from, from + bytes), () => response.socket?.end());
}

export interface HubSetting {
  readonly repositories: Readonly<Record<string, Files>>;
  /** Whether the API states sizes and hashes, as with `blobs=true`; some mirrors do not. */
  readonly statesBlobs?: boolean;
  /** Whether a file's answer carries `x-linked-etag`. */
  readonly statesLinks?: boolean;
  /** In place of the hash of a large file. */
  readonly hash?: string;
  /** What the content network does instead of sending a large file. */
  readonly deliver?: (request: IncomingMessage, response: ServerResponse, content: Buffer) => void;
}

export interface Hub extends Answering {
  readonly content: Answering;
}

export const REVISION = 'a'.repeat(40);

/** Large files (model.bin, *.safetensors, *.pt) are redirected to a second host, as large file storage is. */
export async function startHub(t: TestContext, setting: HubSetting): Promise<Hub> {
  const { repositories, statesBlobs = true, statesLinks = true, deliver = send } = setting;
  const find = (path: string) => {
    const [, owner, name, , revision, ...file] = path.split('/');
    return revision === REVISION ? repositories[`${owner}/${name}`]?.[file.join('/')] : undefined;
  };
  const content = await listen(t, (request, response) => {
    const found = find(new URL(request.url!, 'http://x').pathname);
    if (found) deliver(request, response, found);
    else response.writeHead(404).end();
  });
  const hub = await listen(t, (request, response) => {
    const { pathname } = new URL(request.url!, 'http://x');
    const repository = /^\/api\/models\/(.+)\/revision\/main$/.exec(pathname)?.[1];
    if (repository) {
      const files = repositories[repository];
      if (!files) return response.writeHead(401).end('{"error": "Repository not found"}');
      return response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(describe(files, { ...setting, statesBlobs }));
    }
    const found = find(pathname);
    if (!found) return response.writeHead(404).end();
    const name = pathname.split('/').at(-1)!;
    if (!isLarge(name)) {
      response.setHeader('etag', `"${gitObject(found)}"`);
      return send(request, response, found);
    }
    return response
      .writeHead(302, {
        location: `${content.url}${pathname}?signature=1`,
        ...(statesLinks
          ? { 'x-linked-etag': `"${setting.hash ?? sha256(found)}"`, 'x-linked-size': String(found.length) }
          : {}),
      })
      .end();
  });
  return { ...hub, content };
}

function describe(files: Files, { statesBlobs, hash }: HubSetting): string {
  const siblings = Object.entries(files).map(([rfilename, content]) => {
    if (!statesBlobs) return { rfilename };
    const lfs = { sha256: hash ?? sha256(content), size: content.length, pointerSize: 134 };
    return {
      rfilename,
      size: content.length,
      blobId: gitObject(content),
      ...(isLarge(rfilename) ? { lfs } : {}),
    };
  });
  return JSON.stringify({ id: 'x', sha: REVISION, siblings, cardData: { license: 'mit' } });
}

function isLarge(name: string): boolean {
  return name === 'model.bin' || /\.(safetensors|pt|onnx)$/.test(name);
}

function gitObject(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

/** A package index with one file a project, in either form of the simple API. */
export async function startIndex(
  t: TestContext,
  setting: {
    readonly files: Readonly<Record<string, { readonly file: string; readonly content: Buffer }>>;
    readonly form: 'json' | 'html';
    readonly deliver?: (request: IncomingMessage, response: ServerResponse, content: Buffer) => void;
    /** In place of the true hash of a project's file. */
    readonly hash?: (project: string) => string;
    readonly authorization?: string;
  },
): Promise<Answering> {
  return listen(t, (request, response) => {
    if (setting.authorization && request.headers.authorization !== setting.authorization) {
      return response.writeHead(401).end();
    }
    const [, area, project] = request.url!.split('/');
    const found = setting.files[project ?? ''];
    if (!found) return response.writeHead(404).end();
    if (area === 'packages') return (setting.deliver ?? send)(request, response, found.content);
    const hash = setting.hash?.(project!) ?? sha256(found.content);
    const path = `../../packages/${project}/${found.file}`;
    if (setting.form === 'json') {
      const files = [{ filename: found.file, url: path, hashes: { sha256: hash } }];
      return response
        .writeHead(200, { 'content-type': 'application/vnd.pypi.simple.v1+json' })
        .end(JSON.stringify({ meta: { 'api-version': '1.0' }, name: project, files }));
    }
    return response
      .writeHead(200, { 'content-type': 'text/html' })
      .end(
        `<!DOCTYPE html><html><body><a class="x" href="${path}#sha256=${hash}" data-requires-python="&gt;=3.8">f</a></body></html>`,
      );
  });
}
