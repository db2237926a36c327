/**
 * A server of language models that speaks OpenAI's API (Ollama, vLLM, llama.cpp's): requests, time-outs, retries and its errors as ours.
 * What is asked and answered is for `language/external-engine.ts`. By Node's own client, as `fetch` gives up after five minutes
 * of silence, whatever it is told.
 */
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { sleep, throwIfAborted } from '../base/abort.ts';
import { AppError } from '../base/errors.ts';
import { readServerEvents } from '../base/server-events.ts';
import { asksForPatience, type Refusal, readRefusal, refusalError, retryAfterMs } from './openai-errors.ts';

export interface OpenaiServerOptions {
  /** With or without `/v1` and the last slash. */
  readonly url: string;
  /** Sent as `Authorization: Bearer`; no message ever holds it. */
  readonly apiKey: string | undefined;
  readonly connectTimeoutMs: number;
  /** Longest silence, before an answer and within it. */
  readonly idleTimeoutMs: number;
  /** How often a request is sent again of whose answer nothing has come. */
  readonly retries: number;
  /** Pause before the first retry, doubled before each next, less up to a half by chance. */
  readonly retryDelayMs: number;
}

/** All throw `upstream_failed`, `model_not_found`, `context_exceeded` or `cancelled`. */
export interface OpenaiServer {
  /** `path` as `models`. The answer is whatever JSON it is. */
  get(path: string, signal: AbortSignal): Promise<unknown>;
  post(path: string, body: object, signal: AbortSignal): Promise<unknown>;
  /** Gives each event's JSON as it comes, until `[DONE]` or the end of the answer, which may be too early: see `finish_reason`. */
  stream(path: string, body: object, context: StreamContext): Promise<void>;
}

export interface StreamContext {
  readonly signal: AbortSignal;
  onData(data: unknown): void;
}

/** A longer pause is left to whoever asked. */
const MAX_RETRY_AFTER_MS = 30_000;
const MAX_ANSWER_BYTES = 64 * 1024 ** 2;

export function openOpenaiServer(options: OpenaiServerOptions): OpenaiServer {
  const base = options.url.replace(/\/+$/, '').replace(/\/v1$/, '');
  const { apiKey } = options;
  const target = (path: string): Target => ({ url: new URL(`${base}/v1/${path}`), apiKey });

  async function ask(call: Call, signal: AbortSignal): Promise<unknown> {
    const answer = await answered(call, { options, signal });
    const text = await guarded(readText(answer), call, signal);
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw unexpected(call, answer, cause);
    }
  }

  return {
    get: (path, signal) => ask({ ...target(path), method: 'GET', body: undefined }, signal),
    post: (path, body, signal) => ask({ ...target(path), method: 'POST', body }, signal),
    async stream(path, body, { signal, onData }) {
      const call: Call = { ...target(path), method: 'POST', body };
      const answer = await answered(call, { options, signal });
      if (!/^text\/event-stream/i.test(answer.headers['content-type'] ?? '')) {
        answer.destroy();
        throw unexpected(call, answer);
      }
      await guarded(handOver(answer, call, onData), call, signal);
    },
  };
}

interface Target {
  readonly url: URL;
  readonly apiKey: string | undefined;
}

interface Call extends Target {
  readonly method: 'GET' | 'POST';
  readonly body: object | undefined;
}

interface AskContext {
  readonly options: OpenaiServerOptions;
  readonly signal: AbortSignal;
}

/** The head of an answer with status 200, after as many tries as are allowed. */
async function answered(call: Call, { options, signal }: AskContext): Promise<IncomingMessage> {
  for (let failures = 0; ; failures += 1) {
    throwIfAborted(signal);
    const { answer, failure, pauseMs = 0, isTransient } = await attempt(call, { options, signal });
    if (answer !== undefined) return answer;
    throwIfAborted(signal);
    if (!isTransient || failures >= options.retries || pauseMs > MAX_RETRY_AFTER_MS) throw failure;
    const backoffMs = options.retryDelayMs * 2 ** failures * (0.5 + Math.random() / 2);
    await sleep(Math.max(pauseMs, backoffMs), signal);
  }
}

interface Attempt {
  readonly answer?: IncomingMessage;
  readonly failure?: AppError;
  readonly isTransient?: boolean;
  /** What the server asked for. */
  readonly pauseMs?: number | undefined;
}

async function attempt(call: Call, context: AskContext): Promise<Attempt> {
  let answer: IncomingMessage;
  try {
    answer = await send(call, context);
    if (answer.statusCode === 200) return { answer };
    const text = await readText(answer);
    const refusal: Refusal = {
      status: answer.statusCode!,
      contentType: answer.headers['content-type'],
      text,
    };
    const pauseMs = retryAfterMs(answer.headers['retry-after']);
    const failure = refusalError(call, readRefusal(refusal), pauseMs);
    return { failure, pauseMs, isTransient: asksForPatience(refusal.status) };
  } catch (cause) {
    return { failure: broken(call, cause), isTransient: isTransient(cause) };
  }
}

/** The head of the answer. Rejects with the system's own error, and when the time is over. */
function send(
  { url, apiKey, method, body }: Call,
  { options, signal }: AskContext,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const outgoing = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
      method,
      signal,
      timeout: options.idleTimeoutMs,
      headers: {
        accept: 'application/json, text/event-stream',
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      },
    });
    const connecting = setTimeout(
      () => outgoing.destroy(new Error(`no connection within ${options.connectTimeoutMs / 1000} s`)),
      options.connectTimeoutMs,
    );
    outgoing.once('socket', (socket) => {
      if (!socket.connecting) clearTimeout(connecting);
      else
        socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => clearTimeout(connecting));
    });
    outgoing.once('close', () => clearTimeout(connecting));
    // A silent server keeps its answer open: both sides of the exchange end with the same reason.
    outgoing.once('timeout', () => {
      const silent = new Error(`nothing came for ${options.idleTimeoutMs / 1000} s`);
      incoming?.destroy(silent);
      outgoing.destroy(silent);
    });
    let incoming: IncomingMessage | undefined;
    outgoing.once('response', (answer) => {
      incoming = answer;
      resolve(answer);
    });
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}

async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error('the answer is too long');
  }
  return Buffer.concat(chunks).toString();
}

/** What fails inside an answer is told of and never tried again: a part of it may have been handed on. */
async function guarded<T>(reading: Promise<T>, call: Call, signal: AbortSignal): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    throwIfAborted(signal);
    if (cause instanceof AppError) throw cause;
    throw broken(call, cause);
  }
}

async function handOver(answer: IncomingMessage, call: Call, onData: (data: unknown) => void): Promise<void> {
  for await (const { name, data } of readServerEvents(answer)) {
    if (data === '[DONE]') return;
    let value: unknown;
    try {
      value = JSON.parse(data);
    } catch (cause) {
      throw unexpected(call, answer, cause);
    }
    if (name === 'error' || isError(value)) {
      throw refusalError(call, readRefusal({ status: 200, contentType: 'application/json', text: data }));
    }
    onData(value);
  }
}

/** `{"error": ...}` as OpenAI has it, `{"object": "error", "message": ...}` as older versions of vLLM. */
function isError(value: unknown): boolean {
  const { error, object } = (value ?? {}) as { error?: unknown; object?: unknown };
  return (error !== undefined && error !== null) || object === 'error';
}

function broken({ url, apiKey }: Call, cause: unknown): AppError {
  const { code, message } = cause as { code?: string; message?: string };
  const reason = REASONS[code ?? ''] ?? (message || code || 'the connection broke');
  return refusalError({ url, apiKey }, { status: undefined, reason, cause });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'it broke the connection off',
  ENOTFOUND: 'its name cannot be resolved',
  EAI_AGAIN: 'its name cannot be resolved now',
};

/** Not a time-out: to wait as long once more would help nobody. */
function isTransient(cause: unknown): boolean {
  return /^(ECONNREFUSED|ECONNRESET|EPIPE|EAI_AGAIN)$/.test(String((cause as { code?: unknown }).code));
}

function unexpected(call: Call, answer: IncomingMessage, cause?: unknown): AppError {
  const type = (answer.headers['content-type'] ?? 'something without a type').slice(0, 100);
  return refusalError(call, {
    status: undefined,
    reason: `it answered ${type}, which is no answer of OpenAI's API`,
    cause,
  });
}
