/** Which chat template a model has, by the files that were imported with its weights. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { readModelFacts } from '../../src/language/model-facts.ts';
import { openStore } from '../../src/store/store.ts';
import { storeOptions, temporaryFolder, writeFiles } from '../store/fixtures.ts';
import * as gguf from '../support/gguf.ts';

const INSIDE = '{{ messages }}';

interface Case {
  readonly what: string;
  readonly files: Readonly<Record<string, string>>;
  readonly template: string;
  readonly isSkipped?: boolean;
}

const CASES: readonly Case[] = [
  { what: 'the one in the weights', files: {}, template: INSIDE },
  { what: 'a text of Jinja before it', files: { 'chat_template.jinja': 'mine' }, template: 'mine' },
  {
    what: 'one in JSON before it',
    files: { 'chat_template.json': '{"chat_template": "mine"}' },
    template: 'mine',
  },
  {
    what: 'the default of several',
    files: {
      'chat_template.json': JSON.stringify({
        chat_template: [
          { name: 'rag', template: 'other' },
          { name: 'default', template: 'mine' },
        ],
      }),
    },
    template: 'mine',
  },
  {
    what: 'Jinja before JSON',
    files: { 'chat_template.jinja': 'mine', 'chat_template.json': '{"chat_template": "other"}' },
    template: 'mine',
  },
  {
    what: 'what says nothing is left out',
    files: { 'chat_template.json': '{}' },
    template: INSIDE,
    isSkipped: true,
  },
  {
    what: 'a list without a default is left out',
    files: { 'chat_template.json': '{"chat_template": [null, {"name": "rag"}]}' },
    template: INSIDE,
    isSkipped: true,
  },
];

for (const { what, files, template, isSkipped = false } of CASES) {
  test(`the chat template of a model: ${what}`, async (t) => {
    const store = openStore(storeOptions(await temporaryFolder(t)));
    t.after(() => store.close());
    const beside = Object.entries(files).map(([name, text]) => [name, Buffer.from(text)]);
    const weights = gguf.ggufFile(gguf.modelFields({}));
    const source = await writeFiles(await temporaryFolder(t), {
      'tiny.gguf': weights,
      ...Object.fromEntries(beside),
    });
    const facts = await readModelFacts(await store.import('my-model', source));
    assert.equal(facts.template, template);
    assert.equal(facts.skipped.length, isSkipped ? 1 : 0);
  });
}
