import assert from 'node:assert/strict';
import test from 'node:test';
import { literal, untilTag } from '../../src/language/tag-grammar.ts';
import { callGrammar, readCalls, toolFormatOf } from '../../src/language/tool-format.ts';
import { readGbnf } from '../support/gbnf.ts';

const HERMES = toolFormatOf('{{ "<tool_call>" }}');
const TOOLS = [
  { name: 'add', root: 'tool0', gbnf: 'tool0 ::= "{}"\n' },
  {
    name: 'get_weather',
    root: 'tool1',
    gbnf: 'tool1 ::= "{\\"city\\": \\"" tool1-name "\\"}"\ntool1-name ::= "" | [a-z] tool1-name\n',
  },
];
const accepts = (gbnf: string) => {
  const grammar = readGbnf(gbnf);
  return (text: string) => grammar.accepts(text);
};
const ADD = '{"name": "add", "arguments": {}}';

test('the form of calls is that of the template, and most models’ where it has none', () => {
  assert.equal(toolFormatOf("{{ '<|tool_call|>' }}").tag, '<|tool_call|>');
  assert.equal(toolFormatOf('[TOOL_CALLS][').tag, '[TOOL_CALLS]');
  assert.equal(toolFormatOf('nothing').tag, '<tool_call>');
});

test('prose goes on until the tag is in it, and the tag leads to what is behind', () => {
  const ok = accepts(`root ::= prose\n${untilTag('aab', { name: 'prose', behind: 'end' })}end ::= "!"\n`);
  for (const text of ['', 'a', 'aa', 'aaaa', 'ab', 'xaax', 'aab!', 'aaab!', 'xaaxaab!', 'ünïcode\n"quoted"'])
    assert.ok(ok(text), JSON.stringify(text));
  for (const text of ['aab', 'aab!x', 'xaaby', 'aabaab!']) assert.ok(!ok(text), JSON.stringify(text));
});

test('a tag of characters that mean something in grammars is taken for what it is', () => {
  const ok = accepts(
    `root ::= prose\n${untilTag('[-^]\\', { name: 'prose', behind: 'end' })}end ::= ${literal('"\n')}\n`,
  );
  assert.ok(ok('a[-^]b'));
  assert.ok(ok('[-[-^]\\"\n'));
  assert.ok(!ok('[-^]\\'));
});

test('a call that must be made is the only text there is', () => {
  const ok = accepts(callGrammar(TOOLS, { format: HERMES, isParallel: false, otherwise: undefined }));
  const { tag, opening, closing, between } = HERMES;
  assert.ok(ok(`${tag}${opening}${ADD}${closing}`));
  assert.ok(ok(`${tag}${opening}{"name": "get_weather", "arguments": {"city": "rome"}}${closing}`));
  for (const text of [
    '',
    'Hello',
    `${tag}${opening}${ADD}${between}${ADD}${closing}`,
    `${tag}${opening}{"name": "sub", "arguments": {}}${closing}`,
  ])
    assert.ok(!ok(text), text);
});

test('several calls are several only where that is allowed, and never without end', () => {
  const ok = accepts(callGrammar(TOOLS, { format: HERMES, isParallel: true, otherwise: 'text' }));
  const { tag, opening, closing, between } = HERMES;
  const calls = (count: number) =>
    `${tag}${opening}${Array.from({ length: count }, () => ADD).join(between)}${closing}`;
  assert.ok(ok('Just words, and < and <tool>.'));
  assert.ok(ok(`First I add.\n${calls(2)}`));
  assert.ok(ok(calls(16)));
  assert.ok(!ok(calls(17)));
  assert.ok(!ok(`${tag} something else`));
});

test('a value may stand in place of a call, and nothing else', () => {
  const ok = accepts(
    callGrammar(TOOLS, {
      format: HERMES,
      isParallel: true,
      otherwise: { root: 'value', gbnf: 'value ::= "true"\n' },
    }),
  );
  assert.ok(ok('true'));
  assert.ok(!ok('truly'));
  assert.ok(!ok('true<tool_call>'));
});

test('calls are read with braces and tags in their strings, and what is cut is no call', () => {
  const tricky = '{"name": "add", "arguments": {"text": "} </tool_call> {\\"", "deep": {"a": [1]}}}';
  const text = `So:\n<tool_call>\n${tricky}\n</tool_call>\n<tool_call>\n${ADD}\n</tool_call>`;
  assert.deepEqual(readCalls(text, HERMES), { prose: 'So:\n', calls: [JSON.parse(tricky), JSON.parse(ADD)] });
  assert.deepEqual(readCalls(text.slice(0, -20), HERMES).calls, [JSON.parse(tricky)]);
  assert.deepEqual(readCalls('No call.', HERMES), { prose: 'No call.', calls: [] });
});
