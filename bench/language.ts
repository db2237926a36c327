/**
 * Speed of a language model beside llama-cpp-python on the same weights, in turns; and what a schema, company and a repeated beginning cost.
 *
 *     node dist/bench/language.js [--python VENV/bin/python] [--model smollm2-135m-instruct] [--threads 1,2] [--rounds 5]
 *
 * Requests go through the service and its model process, as those of HTTP do. Medians; the likeliest token is always taken.
 */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type App, createApp } from '../src/app.ts';
import { silentLogger } from '../src/base/logger.ts';
import { median } from '../src/cli/statistics.ts';
import { readEnvironment } from '../src/config/environment.ts';
import { loadConfig } from '../src/config/load.ts';
import { createChatTemplate } from '../src/language/chat-template.ts';
import type { Generation, OutputForm } from '../src/language/generation.ts';
import { readModelFacts } from '../src/language/model-facts.ts';
import { type PythonPeer, startPythonPeer } from './python-peer.ts';

interface PeerAnswer {
  readonly promptTokens: number;
  readonly promptSeconds: number;
  readonly tokens: number;
  readonly seconds: number;
}

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    model: { type: 'string', default: 'smollm2-135m-instruct' },
    threads: { type: 'string', default: '1,2' },
    rounds: { type: 'string', default: '5' },
  },
});
const rounds = Number(values.rounds);
const CONTEXT_TOKENS = 1024;
const WRITTEN_TOKENS = 96;
/** Long enough that it is not over before the tokens are. */
const LIST: OutputForm = {
  kind: 'schema',
  schema: {
    type: 'array',
    items: {
      type: 'object',
      properties: { name: { type: 'string' }, age: { type: 'integer' } },
      required: ['name', 'age'],
    },
    minItems: 50,
  },
};

/** About 500 tokens; no two begin alike, so that nothing is remembered. */
const longPrompt = (salt: number) =>
  `Story ${salt}. ${'The quick brown fox jumps over the lazy dog and runs away from it. '.repeat(32)}`;

console.log(`\n**${values.model}**; ${rounds} rounds, ${cpus().length} cores of ${cpus()[0]!.model}\n`);
console.log('| threads | measure | Percept | beside | ratio |');
console.log('|---|---|---|---|---|');
for (const threads of values.threads.split(',').map(Number)) {
  const app = openApp(threads);
  try {
    const peer = await openPeer(app, threads);
    await measure(app, { threads, peer });
    peer?.process.close();
  } finally {
    await app.close({ timeoutMs: 0 });
  }
}

function openApp(threads: number): App {
  const env = readEnvironment();
  const flags = {
    'models.threads': String(threads),
    'models.keep_alive': '-1',
    'models.language': values.model,
    'language.context_tokens': String(CONTEXT_TOKENS),
  };
  return createApp({ config: loadConfig({ env, flags }).config, env, logger: silentLogger });
}

interface Peer {
  readonly process: PythonPeer;
  render(prompt: string): string;
}

async function openPeer(app: App, threads: number): Promise<Peer | undefined> {
  const installed = await app.store.pull(values.model);
  if (values.python === undefined) return undefined;
  const { description } = await readModelFacts(installed);
  const template = createChatTemplate(description.chatTemplate, { beginning: '', end: '' });
  const weights = join(installed.directory, installed.manifest.files[0]!.path);
  const args = [weights, String(threads), String(CONTEXT_TOKENS)];
  return {
    process: await startPythonPeer({ python: values.python, script: 'llama_peer.py', args }),
    render: (content) =>
      template.render({ messages: [{ role: 'user', content }], tools: [], thinking: false }),
  };
}

async function measure(
  app: App,
  { threads, peer }: { readonly threads: number; readonly peer: Peer | undefined },
): Promise<void> {
  const series: Record<string, [ours: number[], beside: number[]]> = {};
  const note = (name: string, ours: number, beside: number) => {
    series[name] ??= [[], []];
    series[name][0].push(ours);
    series[name][1].push(beside);
  };
  await ask(app, 'Hello', { maxTokens: 4 });
  for (let round = 0; round < rounds; round += 1) {
    const prompt = longPrompt(round);
    const long = await ask(app, prompt, { maxTokens: WRITTEN_TOKENS });
    if (peer !== undefined) {
      const beside = (await peer.process.ask({
        prompt: peer.render(prompt),
        maxTokens: WRITTEN_TOKENS,
      })) as PeerAnswer;
      note(
        'prompt, tokens/s (beside: llama-cpp-python)',
        long.usage!.promptTokens / long.timings.untilFirstToken,
        beside.promptTokens / beside.promptSeconds,
      );
      note(
        'answer, tokens/s (beside: llama-cpp-python)',
        speedOf(long),
        (beside.tokens - 1) / beside.seconds,
      );
    }
    const again = await ask(app, prompt, { maxTokens: 2 });
    note(
      'first token of a prompt heard before, ms (beside: the first time)',
      again.timings.untilFirstToken * 1000,
      long.timings.untilFirstToken * 1000,
    );
    const free = await ask(app, `List people, ${round}.`, { maxTokens: WRITTEN_TOKENS });
    const bound = await ask(app, `List people, ${round}.`, { maxTokens: WRITTEN_TOKENS, output: LIST });
    note('answer by a schema, tokens/s (beside: a free answer)', speedOf(bound), speedOf(free));
    const four = [0, 1, 2, 3].map((index) => `Write about the number ${4 * round + index}.`);
    const parallel = await secondsOf(() =>
      Promise.all(four.map((text) => ask(app, text, { maxTokens: 64 }))),
    );
    const serial = await secondsOf(async () => {
      for (const text of four) await ask(app, `Again: ${text}`, { maxTokens: 64 });
    });
    note('four answers, seconds one after the other (beside: at once)', serial, parallel);
  }
  for (const [name, [ours, beside]] of Object.entries(series)) {
    const [a, b] = [median(ours), median(beside)];
    console.log(
      `| ${[threads, name, a.toFixed(a < 10 ? 2 : 0), b.toFixed(b < 10 ? 2 : 0), `${(a / b).toFixed(2)}x`].join(' | ')} |`,
    );
  }
}

function ask(
  app: App,
  prompt: string,
  { maxTokens, output }: { readonly maxTokens: number; readonly output?: OutputForm },
): Promise<Generation> {
  const { signal } = new AbortController();
  const messages = [{ role: 'user', content: prompt }] as const;
  const request = { model: undefined, messages, output, settings: { temperature: 0, maxTokens } };
  return app.language.generate(request, { signal });
}

function speedOf({ usage, timings }: Generation): number {
  return (usage!.completionTokens - 1) / timings.generating;
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}
