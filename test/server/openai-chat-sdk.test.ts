/** The official SDK, unchanged, against the routes of conversations. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import OpenAI, {
  APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from 'openai';
import { LengthFinishReasonError } from 'openai/core/error';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { AppError, type ErrorCode } from '../../src/base/errors.ts';
import {
  type Answer,
  CALLING,
  GENERATION,
  type ScriptedLanguage,
  scriptedLanguage,
  WEATHER_CALL,
} from './scripted-language.ts';
import { startServer } from './server-under-test.ts';

const model = 'smollm2-135m-instruct';
const messages = [{ role: 'user', content: 'Hi' }] as const;

async function open(
  t: TestContext,
  answer?: Answer,
): Promise<{ client: OpenAI; language: ScriptedLanguage }> {
  const language = scriptedLanguage(answer);
  const { url } = await startServer(t, { language });
  return { client: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }), language };
}

test('a conversation is answered', async (t) => {
  const { client } = await open(t);
  const { choices, usage } = await client.chat.completions.create({ model, messages: [...messages] });
  assert.equal(choices[0]!.message.content, 'Hello there.');
  assert.equal(usage!.prompt_tokens_details!.cached_tokens, 5);
});

test('a stream is put together to the whole answer', async (t) => {
  const { client } = await open(t);
  const deltas: string[] = [];
  const stream = client.chat.completions
    .stream({ model, messages: [...messages], stream_options: { include_usage: true } })
    .on('content', (delta) => deltas.push(delta));
  const { choices, usage, system_fingerprint } = await stream.finalChatCompletion();
  assert.deepEqual(deltas, ['Hello', ' there', '.']);
  assert.equal(choices[0]!.message.content, 'Hello there.');
  assert.equal(choices[0]!.finish_reason, 'stop');
  assert.equal(usage!.completion_tokens, 4);
  assert.match(system_fingerprint!, /^fp_/);
});

const City = z.object({ city: z.string(), people: z.number().nullable() });

test('a zod schema goes as it is, and the answer is parsed by it', async (t) => {
  const value = { city: 'Hanoi', people: null };
  const { client, language } = await open(t, (_request, { onEvent }) => {
    onEvent?.({ type: 'text', text: JSON.stringify(value) });
    return { ...GENERATION, text: JSON.stringify(value), value };
  });
  const response_format = zodResponseFormat(City, 'city');
  const whole = await client.chat.completions.parse({ model, messages: [...messages], response_format });
  assert.deepEqual(whole.choices[0]!.message.parsed, value);
  const streamed = client.chat.completions.stream({ model, messages: [...messages], response_format });
  assert.deepEqual((await streamed.finalChatCompletion()).choices[0]!.message.parsed, value);
  for (const { output } of language.asked) {
    assert.ok(output?.kind === 'schema' && typeof output.schema === 'object');
    assert.deepEqual(output.schema['required'], ['city', 'people']);
  }
});

test('an answer that was cut is the SDK’s own error of length', async (t) => {
  const { client } = await open(t, () => ({ ...GENERATION, text: '{"ci', finishReason: 'length' }));
  const response_format = zodResponseFormat(City, 'city');
  await assert.rejects(
    client.chat.completions.parse({ model, messages: [...messages], response_format }),
    LengthFinishReasonError,
  );
});

for (const stream of [false, true]) {
  test(`a loop of tools runs to its answer, ${stream ? 'in streams' : 'whole'}`, async (t) => {
    const { client, language } = await open(t, ({ messages: said }, { onEvent }) => {
      const result = said.find(({ role }) => role === 'tool');
      if (result === undefined) {
        onEvent?.({ type: 'toolCall', call: WEATHER_CALL });
        return CALLING;
      }
      const text = `It is ${result.content}.`;
      onEvent?.({ type: 'text', text });
      return { ...GENERATION, text };
    });
    const cities: string[] = [];
    const tool = {
      type: 'function',
      function: {
        name: 'get_weather',
        description: 'The weather of a city',
        parameters: { type: 'object', properties: { city: { type: 'string' } } },
        parse: JSON.parse,
        function: ({ city }: { city: string }) => {
          cities.push(city);
          return '30 degrees';
        },
      },
    } as const;
    const options = { model, messages: [...messages], tools: [tool] };
    const text = stream
      ? await client.chat.completions.runTools({ ...options, stream: true }).finalContent()
      : await client.chat.completions.runTools(options).finalContent();
    assert.equal(text, 'It is 30 degrees.');
    assert.deepEqual(cities, ['Hanoi']);
    assert.deepEqual(language.asked[1]!.messages.slice(1), [
      { role: 'assistant', content: '', toolCalls: [WEATHER_CALL] },
      { role: 'tool', content: '30 degrees', toolCallId: 'call_1' },
    ]);
  });
}

const CLASSES: readonly (readonly [ErrorCode, new (...given: never[]) => APIError])[] = [
  ['invalid_request', BadRequestError],
  ['context_exceeded', BadRequestError],
  ['unauthorized', AuthenticationError],
  ['model_not_found', NotFoundError],
  ['queue_full', RateLimitError],
  ['model_crashed', InternalServerError],
  ['upstream_failed', InternalServerError],
];

for (const [code, kind] of CLASSES) {
  test(`${code} is the SDK’s ${kind.name}`, async (t) => {
    const { client } = await open(t, () => {
      throw new AppError(code, 'It failed.', { param: 'messages' });
    });
    for (const stream of [false, true]) {
      await assert.rejects(
        client.chat.completions.create({ model, messages: [...messages], stream }),
        (thrown) => {
          assert.ok(thrown instanceof kind);
          assert.deepEqual([thrown.code, thrown.param], [code, 'messages']);
          return true;
        },
      );
    }
  });
}

test('an error in the middle of a stream is thrown', async (t) => {
  const { client } = await open(t, (_request, { onEvent }) => {
    onEvent!({ type: 'text', text: 'Hel' });
    throw new AppError('model_crashed', 'The model process ended.');
  });
  const stream = await client.chat.completions.create({ model, messages: [...messages], stream: true });
  await assert.rejects(
    async () => {
      for await (const _ of stream);
    },
    (thrown) => thrown instanceof APIError && /model process ended/.test(thrown.message),
  );
});

test('language models are listed and retrieved beside those of speech', async (t) => {
  const { client } = await open(t);
  const ids: string[] = [];
  for await (const { id } of client.models.list()) ids.push(id);
  assert.deepEqual(ids, ['whisper-base-int8', model]);
  assert.equal((await client.models.retrieve(model)).owned_by, 'HuggingFaceTB');
  assert.equal((await client.models.retrieve('whisper-1')).id, 'whisper-base-int8');
  await assert.rejects(client.models.retrieve('nothing'), NotFoundError);
});
