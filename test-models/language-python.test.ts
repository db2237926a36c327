/** OpenAI's own Python SDK with pydantic, and jsonschema, against a real language model; the checks are in openai_chat.py. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { temporaryFile } from '../test/support/temporary.ts';
import { LANGUAGE_ENVIRONMENT, LANGUAGE_MODEL, missingLanguageModel } from './support/language-weights.ts';
import { python, runScript } from './support/python.ts';
import { REAL_SCHEMAS } from './support/real-schemas.ts';
import { serviceOfFile } from './support/service.ts';

const interpreter = python();
const skip =
  interpreter === undefined
    ? 'PERCEPT_TEST_PYTHON names no interpreter with openai and jsonschema'
    : await missingLanguageModel();
const service = serviceOfFile(skip, { env: LANGUAGE_ENVIRONMENT });

test('the Python SDK, pydantic and jsonschema find what they expect', { skip }, async (t) => {
  const schemas = await temporaryFile(t, 'schemas.json', Buffer.from(JSON.stringify(REAL_SCHEMAS)));
  const checks = (await runScript('openai_chat.py', interpreter!, [
    service().url,
    LANGUAGE_MODEL,
    schemas,
  ])) as { readonly name: string; readonly failure: string | null }[];
  assert.equal(checks.length, 5);
  for (const { name, failure } of checks) await t.test(name, () => assert.equal(failure, null));
});
