/** The routes of language models beside OpenAI's own description, and as the service describes them. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Ajv } from 'ajv';
import { assertValid, NO_DESCRIPTION, openaiSchemas } from '../../test-models/support/openai-schemas.ts';
import { CALLING, scriptedLanguage, WEATHER_CALL } from './scripted-language.ts';
import { startServer } from './server-under-test.ts';

const schemas = NO_DESCRIPTION === false ? await openaiSchemas() : undefined;
const MESSAGES = [{ role: 'user', content: 'Hi' }];
const TOOLS = [{ type: 'function', function: { name: 'get_weather' } }];

const calling = () =>
  scriptedLanguage((_request, { onEvent }) => {
    onEvent?.({ type: 'toolCall', call: WEATHER_CALL });
    return CALLING;
  });

test("answers and chunks are those of OpenAI's description", { skip: NO_DESCRIPTION }, async (t) => {
  for (const language of [scriptedLanguage(), calling()]) {
    const { url } = await startServer(t, { language });
    const whole = await chat(url, { messages: MESSAGES, model: 'm', tools: TOOLS });
    assertValid(schemas!('CreateChatCompletionResponse'), await whole.json());
    const streamed = await chat(url, {
      messages: MESSAGES,
      model: 'm',
      tools: TOOLS,
      stream: true,
      stream_options: { include_usage: true },
    });
    const events = (await streamed.text()).split('\n\n').filter((line) => line.startsWith('data: {'));
    assert.ok(events.length >= 4);
    for (const event of events) {
      const chunk: unknown = JSON.parse(event.slice('data: '.length));
      assertValid(schemas!('CreateChatCompletionStreamResponse'), chunk);
    }
    const models = await (await fetch(`${url}/v1/models`)).json();
    assertValid(schemas!('ListModelsResponse'), models);
  }
});

interface Described {
  readonly paths: Record<
    string,
    Record<
      string,
      { readonly requestBody: { readonly content: Record<string, { readonly schema: object }> } }
    >
  >;
}

test('the service describes each body as it parses it', async (t) => {
  const { url } = await startServer(t, { language: scriptedLanguage() });
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as Described;
  assert.ok('/metrics' in paths);
  const bodies = {
    '/v1/chat/completions': {
      messages: MESSAGES,
      temperature: 1,
      stop: ['a'],
      n: 1,
      user: 'u',
      tools: TOOLS,
    },
    '/structured-generate': { prompt: 'a', schema: { type: 'object' }, max_tokens: 5 },
    '/function-call': { prompt: 'a', tools: TOOLS, tool_choice: 'required' },
  };
  for (const [path, body] of Object.entries(bodies)) {
    const { schema } = paths[path]!['post']!.requestBody.content['application/json']!;
    // OpenAPI 3.0 writes null as `nullable`, which ajv knows.
    const validate = new Ajv({ strict: false, logger: false }).compile(schema);
    assert.ok(validate(body), JSON.stringify(validate.errors));
    for (const wrong of [{}, { ...body, nonsense: 1 }, { ...body, temperature: 9 }, { ...body, model: 5 }])
      assert.equal(validate(wrong), false, `${path} ${JSON.stringify(wrong)}`);
  }
});

function chat(url: string, body: object): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}
