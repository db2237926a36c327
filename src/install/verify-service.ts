/** What a running service answers. */
import { openAsBlob } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { findUser } from './accounts.ts';
import { urlOf } from './control.ts';
import { type Finding, fail, fine, warn } from './findings.ts';
import { listenersOn } from './listeners.ts';
import type { Rule, Verified } from './verified.ts';

export const SERVICE_CHECKS: Readonly<Record<string, Rule>> = {
  port: checkPort,
  ready: checkReady,
  models: checkModels,
  answer: checkAnswer,
};

const PROBE_MS = 5000;
/** A model may have to be loaded first, on a slow machine. */
const ANSWER_MS = 180_000;
/** Of the words of the example: small models mishear one or two. */
const WORD_SHARE = 0.6;

const healthSchema = z.object({
  status: z.string(),
  version: z.string(),
  models_loaded: z.array(z.unknown()),
});
const errorSchema = z.object({ error: z.object({ message: z.string(), code: z.string().nullable() }) });
const listSchema = z.object({ data: z.array(z.object({ id: z.string() })) });
const textSchema = z.object({ text: z.string() });
const rankingSchema = z.object({
  classifications: z.array(z.object({ text: z.string(), score: z.number() })),
});

interface Answer {
  readonly status: number;
  /** Undefined where it is no JSON. */
  readonly body: unknown;
}

async function checkPort(verified: Verified): Promise<Finding[]> {
  const { name } = verified.service;
  const url = addressOf(verified);
  const answer = await ask(verified, '/health').catch(() => undefined);
  if (answer === undefined) return [fail('no-answer', `Nothing answers at ${url}.`, name)];
  const health = healthSchema.safeParse(answer.body);
  const stranger = await strangerOn(verified);
  if (!health.success || stranger !== undefined) {
    const who = stranger === undefined ? 'What answers' : `A program of user ${stranger} answers`;
    return [fail('other-program', `${who} at ${url}, and that is not the service ${name}.`, name)];
  }
  if (answer.status !== 200)
    return [fail('unhealthy', `${url}/health answers ${answer.status}, ${health.data.status}.`, name)];
  const { version } = health.data;
  if (version !== verified.options.version)
    return [
      warn('old-version-runs', `${version} runs at ${url}; this is ${verified.options.version}.`, name),
    ];
  return [fine(`${version} answers at ${url}`)];
}

/** The user of another program on the service's port; undefined where it is the service's own, or cannot be told. */
async function strangerOn({ service, layout, config, options }: Verified): Promise<number | undefined> {
  const own = await findUser(layout.root, service.name);
  if (!layout.isLive || own === undefined || options.url !== undefined) return undefined;
  const users = await listenersOn(config.server.port);
  return users.includes(own.uid) ? undefined : users[0];
}

async function checkReady(verified: Verified): Promise<Finding[]> {
  const { status, body } = await ask(verified, '/health/ready');
  if (status === 200) return [fine('the default model is loaded')];
  return [fail('not-ready', reasonOf({ status, body }), verified.service.name)];
}

async function checkModels(verified: Verified): Promise<Finding[]> {
  const { service, config } = verified;
  const answer = await ask(verified, '/v1/models');
  if (answer.status === 401) return [fail('key-refused', reasonOf(answer), service.name)];
  const listed = listSchema.safeParse(answer.body);
  if (!listed.success) return [fail('request-failed', reasonOf(answer), service.name)];
  const model = await verified.model();
  const isListed = listed.data.data.some(({ id }) => id === model.name);
  if (isListed) return [fine(`${model.name} is among ${listed.data.data.length}`)];
  return [
    fail('model-not-listed', `The server does not list ${service.defaultModel(config)}.`, service.name),
  ];
}

async function checkAnswer(verified: Verified): Promise<Finding[]> {
  return verified.service.task === 'speech' ? hear(verified) : see(verified);
}

async function hear(verified: Verified): Promise<Finding[]> {
  const { service, options } = verified;
  const { path, words } = options.examples.recording;
  const model = await verified.model();
  const form = new FormData();
  form.append('model', model.name);
  form.append('response_format', 'json');
  if (model.hearsEnglish) form.append('language', 'en');
  form.append('file', await openAsBlob(path), 'speech.wav');
  const answer = await ask(verified, '/v1/audio/transcriptions', { method: 'POST', body: form });
  const heard = textSchema.safeParse(answer.body);
  if (answer.status !== 200 || !heard.success) return [failedRequest(answer, service.name)];
  const { text } = heard.data;
  if (model.hearsEnglish && shareOf(words, text) < WORD_SHARE)
    return [
      fail('answer-wrong', `${model.name} heard ${JSON.stringify(text)}; said was "${words}".`, service.name),
    ];
  return [fine(`${model.name} heard ${JSON.stringify(text)}`)];
}

async function see(verified: Verified): Promise<Finding[]> {
  const { service, options } = verified;
  const { path, label, others } = options.examples.picture;
  const model = await verified.model();
  const image = `data:image/png;base64,${(await readFile(path)).toString('base64')}`;
  const answer = await ask(verified, '/v1/classify', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: model.name, image, prompts: [...others, label] }),
  });
  const seen = rankingSchema.safeParse(answer.body);
  const first = seen.data?.classifications[0];
  if (answer.status !== 200 || first === undefined) return [failedRequest(answer, service.name)];
  const message = `${model.name} saw ${first.text} (${first.score.toFixed(2)})`;
  if (first.text === label) return [fine(message)];
  return [
    (model.knowsExample ? fail : warn)('answer-wrong', `${message}; drawn was ${label}.`, service.name),
  ];
}

function failedRequest(answer: Answer, name: string): Finding {
  return fail(answer.status === 401 ? 'key-refused' : 'request-failed', reasonOf(answer), name);
}

/** The server's own words. */
function reasonOf({ status, body }: Answer): string {
  const read = errorSchema.safeParse(body);
  if (!read.success) return `It answered ${status}, and nothing that can be read.`;
  const { code, message } = read.data.error;
  return `It answered ${status} (${code ?? 'no code'}): ${message}`;
}

function shareOf(expected: string, found: string): number {
  const heard = new Set(wordsOf(found));
  const wanted = wordsOf(expected);
  return wanted.filter((word) => heard.has(word)).length / wanted.length;
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z]+/g) ?? [];
}

function addressOf({ options, config }: Verified): string {
  return (options.url ?? urlOf(config)).replace(/\/+$/, '');
}

/** Rejects when nothing answers in time. */
async function ask(verified: Verified, route: string, request: RequestInit = {}): Promise<Answer> {
  const { options, config } = verified;
  const key = options.apiKey ?? config.server.apiKeys[0];
  const limit = AbortSignal.timeout(request.method === 'POST' ? ANSWER_MS : PROBE_MS);
  const response = await fetch(`${addressOf(verified)}${route}`, {
    ...request,
    headers: { ...request.headers, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
    signal: AbortSignal.any([options.signal, limit]),
  });
  const text = await response.text();
  try {
    return { status: response.status, body: JSON.parse(text) };
  } catch {
    return { status: response.status, body: undefined };
  }
}
