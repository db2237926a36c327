import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { Command } from 'commander';
import { AppError } from '../../src/base/errors.ts';
import { addGlobalOptions, createContext } from '../../src/cli/context.ts';
import { register } from '../../src/cli/generate.ts';
import {
  type Answer,
  GENERATION,
  type ScriptedLanguage,
  scriptedLanguage,
} from '../server/scripted-language.ts';
import { startServer } from '../server/server-under-test.ts';
import { temporaryFile, temporaryFolder } from '../support/temporary.ts';

interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  /** How standard output was written. */
  readonly writes: readonly string[];
}

interface Percept {
  readonly language: ScriptedLanguage;
  readonly closed: () => number;
  run(...words: string[]): Promise<Ran>;
}

interface Options {
  readonly answer?: Answer;
  readonly stdin?: string;
  readonly isTTY?: boolean;
}

/** The command in this process, over a scripted service. */
async function percept(
  t: TestContext,
  { answer, stdin = '', isTTY = false }: Options = {},
): Promise<Percept> {
  const home = await temporaryFolder(t);
  const language = scriptedLanguage(answer);
  let closed = 0;
  return {
    language,
    closed: () => closed,
    async run(...words) {
      const writes: string[] = [];
      let stderr = '';
      const program = addGlobalOptions(new Command('percept').exitOverride());
      program.configureOutput({ writeErr: () => {} });
      const context = createContext({
        program,
        env: { HOME: home, PERCEPT_HOME: home },
        stdin: Readable.from([stdin]),
        stdout: { isTTY, write: (text) => writes.push(text) },
        stderr: {
          write: (text) => {
            stderr += text;
          },
        },
        signal: AbortSignal.timeout(30_000),
        openSpeech: () => assert.fail('it hears nothing'),
        openLanguage: () => ({
          language,
          async close() {
            closed += 1;
          },
        }),
        openVision: () => assert.fail('it sees nothing'),
        openTasks: () => assert.fail('these commands know no tasks'),
        startService: () => assert.fail('it starts no server'),
        fail: () => {},
      });
      register(program, context);
      for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => {} });
      await program.parseAsync(['generate', ...words], { from: 'user' });
      return { stdout: writes.join(''), stderr, writes };
    },
  };
}

test('words of the command line are one prompt, and the answer is a line', async (t) => {
  const { run, language, closed } = await percept(t);
  const words = [
    'Say',
    'hello',
    '-s',
    'Be brief.',
    '-m',
    'm',
    '--temperature',
    '0',
    '--max-tokens',
    '9',
    '--seed',
    '-3',
  ];
  assert.deepEqual((await run(...words)).writes, ['Hello there.\n']);
  assert.deepEqual(language.asked, [
    {
      model: 'm',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Say hello' },
      ],
      output: undefined,
      settings: { temperature: 0, maxTokens: 9 },
      seed: -3,
    },
  ]);
  assert.equal(closed(), 1);
});

test('on a terminal the text is written as it comes', async (t) => {
  const { run } = await percept(t, { isTTY: true });
  assert.deepEqual((await run('Hi')).writes, ['Hello', ' there', '.', '\n']);
});

test('a prompt may come by standard input', async (t) => {
  const { run, language } = await percept(t, { stdin: 'Long\ntext\n' });
  await run('-');
  assert.equal(language.asked[0]!.messages[0]!.content, 'Long\ntext\n');
});

test('with a schema the value is printed, and nothing else', async (t) => {
  const schema = { type: 'object' };
  const { run, language } = await percept(t, {
    isTTY: true,
    answer: () => ({ ...GENERATION, text: '{"a":1}', value: { a: 1 } }),
  });
  const file = await temporaryFile(t, 'schema.json', Buffer.from(JSON.stringify(schema)));
  assert.deepEqual(await run('Hi', '--schema', file), {
    stdout: '{\n  "a": 1\n}\n',
    stderr: '',
    writes: ['{\n  "a": 1\n}\n'],
  });
  assert.deepEqual(language.asked[0]!.output, { kind: 'schema', schema });
});

test('--json prints what the HTTP API answers', async (t) => {
  const { run } = await percept(t, { isTTY: true });
  const completion = JSON.parse((await run('Hi', '--json')).stdout);
  assert.equal(completion.object, 'chat.completion');
  assert.equal(completion.choices[0].message.content, 'Hello there.');
  assert.equal(completion.percept.versions.seed, 7);
});

test('an answer that was cut is remarked on, and with a schema is an error', async (t) => {
  const answer: Answer = () => ({ ...GENERATION, text: '{"a', finishReason: 'length' });
  for (const isTTY of [true, false]) {
    const { run } = await percept(t, { answer, isTTY });
    assert.match((await run('Hi')).stderr, /--max-tokens/);
  }
  const { run, closed } = await percept(t, { answer });
  const file = await temporaryFile(t, 'schema.json', Buffer.from('true'));
  await assert.rejects(run('Hi', '--schema', file), { code: 'output_truncated' });
  assert.equal(closed(), 1);
});

test('what is asked wrongly is a usage error, before anything is opened', async (t) => {
  const { run, closed } = await percept(t, { stdin: ' \n' });
  const broken = await temporaryFile(t, 'broken.json', Buffer.from('{'));
  for (const words of [['-'], ['Hi', '--schema', '/nowhere.json'], ['Hi', '--schema', broken]])
    await assert.rejects(run(...words), { code: 'usage' });
  for (const words of [[], ['Hi', '--temperature', '3'], ['Hi', '--max-tokens', 'many']])
    await assert.rejects(run(...words), { name: 'CommanderError' });
  assert.equal(closed(), 0);
});

test('with --server a running server answers, whole, by a schema, and in pieces', async (t) => {
  const remote = scriptedLanguage();
  const { url } = await startServer(t, { language: remote, options: { apiKeys: ['alpha'] } });
  const server = ['--server', `${url}/v1/`, '--api-key', 'alpha'];
  const piped = await percept(t);
  assert.equal(
    (await piped.run('Hi', '-s', 'Be brief.', '--seed', '1', '--max-tokens', '5', ...server)).stdout,
    'Hello there.\n',
  );
  assert.equal(JSON.parse((await piped.run('Hi', '--json', ...server)).stdout).object, 'chat.completion');
  const terminal = await percept(t, { isTTY: true });
  assert.deepEqual((await terminal.run('Hi', ...server)).writes, ['Hello', ' there', '.', '\n']);
  assert.deepEqual([piped.language.asked, piped.closed()], [[], 0]);
  const { messages, seed, settings } = remote.asked[0]!;
  assert.deepEqual([messages.length, seed, settings!.maxTokens], [2, 1, 5]);
  const schema = await temporaryFile(t, 'schema.json', Buffer.from('{"type":"string"}'));
  await assert.rejects(piped.run('Hi', '--schema', schema, ...server), { code: 'invalid_output' });
  assert.deepEqual(remote.asked.at(-1)!.output, { kind: 'schema', schema: { type: 'string' } });
});

test('errors of a server are its own, before a stream and within it', async (t) => {
  const { url } = await startServer(t, {
    language: scriptedLanguage((_request, { onEvent }) => {
      onEvent?.({ type: 'text', text: 'Hel' });
      throw new AppError('model_crashed', 'The model process ended.');
    }),
  });
  for (const isTTY of [true, false]) {
    const { run } = await percept(t, { isTTY });
    await assert.rejects(run('Hi', '--server', url), {
      code: 'model_crashed',
      message: 'The model process ended.',
    });
    await assert.rejects(run('Hi', '-m', 'nonsense', '--server', url), { code: 'model_not_found' });
    await assert.rejects(run('Hi', '--server', 'http://127.0.0.1:1'), { code: 'server_unreachable' });
  }
});
