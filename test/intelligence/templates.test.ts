import assert from 'node:assert/strict';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { AppError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { promptValues } from '../../src/intelligence/read-template.ts';
import { createTemplates } from '../../src/intelligence/templates.ts';
import type { Tools } from '../../src/intelligence/tools.ts';
import { TEMPLATES } from '../../src/pipeline-tools.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { compiler } from './tools.ts';

const SCHEMA = {
  title: 'Shopping list',
  description: 'What to buy.',
  type: 'object',
  properties: { items: { type: 'array', maxItems: 5, items: { type: 'string', maxLength: 20 } } },
  required: ['items'],
};

async function open(t: TestContext, checkSchema?: Tools['checkSchema']) {
  const root = await temporaryFolder(t);
  const [ours, yours] = [join(root, 'ours'), join(root, 'yours')];
  await cp(TEMPLATES, ours, { recursive: true });
  const warnings: object[] = [];
  let checks = 0;
  const templates = createTemplates({
    ours,
    yours,
    async checkSchema(schema, signal) {
      checks += 1;
      if (checkSchema !== undefined) return checkSchema(schema, signal);
      await compiler.compile(schema);
    },
    logger: { ...silentLogger, warn: (fields) => void warnings.push(fields) },
  });
  return {
    templates,
    warnings,
    checks: () => checks,
    async write(name: string, content: unknown) {
      await mkdir(join(yours, 'prompts'), { recursive: true });
      await writeFile(join(yours, name), typeof content === 'string' ? content : JSON.stringify(content));
    },
    remove: (name: string) => rm(join(yours, name)),
  };
}

const ids = async ({ templates }: Awaited<ReturnType<typeof open>>) =>
  (await templates.list()).map(({ id }) => id);

test('a template of the operator’s own is there with its next question, changes with its file, and goes with it', async (t) => {
  const folder = await open(t);
  const before = await ids(folder);
  assert.ok(before.includes('meeting_notes_v1'));
  await folder.write('shopping_v2.json', SCHEMA);
  assert.deepEqual(await ids(folder), [...before, 'shopping_v2'].sort());
  const first = await folder.templates.get('shopping_v2');
  assert.deepEqual(
    [first.name, first.description, first.version, first.isOurs],
    ['Shopping list', 'What to buy.', '2', false],
  );
  await folder.write('shopping_v2.json', { ...SCHEMA, title: 'Groceries', version: 'b' });
  const second = await folder.templates.get('shopping_v2');
  assert.deepEqual([second.name, second.version], ['Groceries', 'b']);
  assert.ok(!('version' in second.schema));
  assert.notEqual(second.schemaHash, first.schemaHash);
  await folder.remove('shopping_v2.json');
  assert.deepEqual(await ids(folder), before);
});

test('what has not changed is not read again, and white space changes no hash', async (t) => {
  const folder = await open(t);
  await folder.write('shopping_v1.json', SCHEMA);
  const first = await folder.templates.get('shopping_v1');
  const checks = folder.checks();
  assert.equal(await folder.templates.get('shopping_v1'), first);
  assert.equal(folder.checks(), checks);
  await folder.write('shopping_v1.json', JSON.stringify(SCHEMA, null, 4));
  const second = await folder.templates.get('shopping_v1');
  assert.equal(folder.checks(), checks + 1);
  assert.equal(second.schemaHash, first.schemaHash);
});

test('a template without a prompt has the generic one, and its own as soon as there is one', async (t) => {
  const folder = await open(t);
  await folder.write('shopping_v1.json', SCHEMA);
  const generic = await folder.templates.get('shopping_v1');
  assert.equal(generic.prompt.name, 'generic_v1');
  const said = { transcript: 'Buy milk.', language: 'en' };
  const text = generic.prompt.render(promptValues(generic, said));
  assert.match(text, /called Shopping list\. What to buy\./);
  assert.match(text, /^- items \(list of at most 5, each text\)$/m);
  await folder.write('prompts/shopping_v1.jinja', 'List: {{ transcript }} {{ schema | length > 0 }}');
  const own = await folder.templates.get('shopping_v1');
  assert.equal(own.prompt.render(promptValues(own, said)), 'List: Buy milk. true');
  assert.notEqual(own.prompt.hash, generic.prompt.hash);
});

test('one with the name of ours takes its place, without the prompt of ours; a prompt alone takes the place of that alone', async (t) => {
  const folder = await open(t);
  const ours = await folder.templates.get('podcast_v1');
  await folder.write('prompts/podcast_v1.jinja', 'Notes of {{ transcript }}');
  const mixed = await folder.templates.get('podcast_v1');
  assert.deepEqual([mixed.schemaHash, mixed.isOurs], [ours.schemaHash, true]);
  assert.notEqual(mixed.prompt.hash, ours.prompt.hash);
  await folder.remove('prompts/podcast_v1.jinja');
  await folder.write('podcast_v1.json', SCHEMA);
  const yours = await folder.templates.get('podcast_v1');
  assert.deepEqual([yours.name, yours.prompt.name], ['Shopping list', 'generic_v1']);
  await folder.remove('podcast_v1.json');
  assert.equal((await folder.templates.get('podcast_v1')).prompt.hash, ours.prompt.hash);
});

test('a broken template is left out of the list, told of once, and says why when it is asked for', async (t) => {
  const cases: [unknown, RegExp][] = [
    ['{"title": ', /it is not JSON/],
    [[], /not a JSON object/],
    [{ type: 'array', items: {} }, /not that of an object/],
    [{ type: 'object', properties: {} }, /not that of an object/],
    [{ ...SCHEMA, minimun: 3 }, /minimun/],
    [{ ...SCHEMA, properties: { a: { type: 'objct' } } }, /type/],
    [{ ...SCHEMA, version: [1] }, /"version"/],
    [JSON.stringify({ ...SCHEMA, $comment: 'x'.repeat(300_000) }), /bytes/],
  ];
  const folder = await open(t);
  const before = await ids(folder);
  for (const [content, reason] of cases) {
    await folder.write('shopping_v1.json', content);
    folder.warnings.length = 0;
    assert.deepEqual(await ids(folder), before);
    await assert.rejects(folder.templates.get('shopping_v1'), { code: 'invalid_template', message: reason });
    assert.equal(folder.warnings.length, 1);
    const [broken] = await folder.templates.broken();
    assert.match(broken!.reason, reason);
  }
});

test('a prompt that cannot be read, cannot be filled, or leaves the transcript out, breaks its template', async (t) => {
  const folder = await open(t);
  await folder.write('shopping_v1.json', SCHEMA);
  for (const prompt of ['{% if %}', '{{ transcript | nonsense }}', 'Summarise {{ transcrpt }}.']) {
    await folder.write('prompts/shopping_v1.jinja', prompt);
    await assert.rejects(folder.templates.get('shopping_v1'), { code: 'invalid_template' });
  }
  for (const name of ['text_enhancement_v1', 'summary_part_v1', 'summary_merge_v1'] as const) {
    await folder.write(`prompts/${name}.jinja`, 'Nothing.');
    await assert.rejects(folder.templates.prompt(name), { code: 'invalid_template' });
    await folder.remove(`prompts/${name}.jinja`);
    assert.equal((await folder.templates.prompt(name)).name, name);
  }
});

test('an id is a name and never a path', async (t) => {
  const folder = await open(t);
  await folder.write('Shopping v1.json', SCHEMA);
  const paths = [
    '../ours/podcast_v1',
    'prompts/podcast_v1',
    '/etc/passwd',
    'podcast_v1.json',
    'Shopping v1',
    '',
  ];
  for (const id of [...paths, 'constructor', '__proto__', 'podcast_v1\0', 'generic_v1'])
    await assert.rejects(folder.templates.get(id), { code: 'missing_template', message: /podcast_v1/ });
  assert.equal(folder.warnings.length, 1);
  await folder.templates.list();
  assert.equal(folder.warnings.length, 1);
  await assert.rejects(folder.templates.get('podcast_v2'), { message: /Did you mean podcast_v1\?/ });
  await assert.rejects(folder.templates.get(undefined), { code: 'missing_template', param: 'template_id' });
});

test('where schemas cannot be checked at all, no template is called broken', async (t) => {
  let isClosed = true;
  const { templates } = await open(t, async () => {
    if (isClosed) throw new AppError('shutting_down', 'The server is stopping.');
  });
  await assert.rejects(templates.list(), { code: 'shutting_down' });
  isClosed = false;
  assert.ok((await templates.list()).length >= 6);
});
