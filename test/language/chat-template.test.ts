import assert from 'node:assert/strict';
import test from 'node:test';
import { createChatTemplate } from '../../src/language/chat-template.ts';
import type { Message } from '../../src/language/generation.ts';

const ENDS = { beginning: '<s>', end: '</s>' };
const USER: Message = { role: 'user', content: 'Hi {{ 7 * 7 }} {% raise %}' };
const TOOL = { name: 'add', description: 'Adds', parameters: { type: 'object' } };
const CALL = { id: 'call_1', name: 'add', arguments: { a: 1 } };

test('without a template the form is ChatML, and a prompt is data whatever is in it', () => {
  const { render, toolFormat } = createChatTemplate(undefined, ENDS);
  const prompt = render({
    messages: [{ role: 'system', content: 'Be brief.' }, USER],
    tools: [],
    thinking: false,
  });
  assert.equal(
    prompt,
    '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi {{ 7 * 7 }} {% raise %}<|im_end|>\n<|im_start|>assistant\n',
  );
  assert.equal(toolFormat.tag, '<tool_call>');
});

test('a template that knows tools gets them, and calls of earlier turns, as the hub has them', () => {
  const source =
    '{{ bos_token }}{% for t in tools %}{{ t.function.name }}:{{ t.function.parameters | tojson }};{% endfor %}{% for m in messages %}{{ m.role }}={{ m.content }}{% if m.tool_calls %}{% for c in m.tool_calls %}<tool_call>{{ c.function.arguments | tojson }}{% endfor %}{% endif %}|{{ m.tool_call_id }};{% endfor %}';
  const messages: Message[] = [
    USER,
    { role: 'assistant', content: '', toolCalls: [CALL] },
    { role: 'tool', content: '2', toolCallId: 'call_1' },
  ];
  const prompt = createChatTemplate(source, ENDS).render({ messages, tools: [TOOL], thinking: false });
  assert.equal(
    prompt,
    '<s>add:{"type": "object"};user=Hi {{ 7 * 7 }} {% raise %}|;assistant=<tool_call>{"a": 1}|;tool=2|call_1;',
  );
});

test('a template that knows no tools is told of them in words, in the system message', () => {
  const { render } = createChatTemplate(undefined, ENDS);
  const messages: Message[] = [
    { role: 'system', content: 'Be brief.' },
    USER,
    { role: 'assistant', content: '', toolCalls: [CALL] },
    { role: 'tool', content: '2', toolCallId: 'call_1' },
  ];
  const prompt = render({ messages, tools: [TOOL], thinking: false });
  assert.match(prompt, /system\nBe brief\.\n\nYou may call .*"name":"add"/s);
  assert.match(prompt, /<tool_call>\n\{"name":"add","arguments":\{"a":1\}\}\n<\/tool_call>/);
  assert.match(prompt, /user\n<tool_response>\n2\n<\/tool_response>/);
});

test('thinking is off unless it is asked for', () => {
  const source = '{% if not enable_thinking %}<think></think>{% endif %}';
  const { render, canThink } = createChatTemplate(source, ENDS);
  assert.ok(canThink);
  assert.equal(render({ messages: [USER], tools: [], thinking: false }), '<think></think>');
  assert.equal(render({ messages: [USER], tools: [], thinking: true }), '');
});

test('a template that is none is refused when it is read, and messages that it refuses when they come', () => {
  assert.throws(() => createChatTemplate('{% for x in %}', ENDS), { code: 'unsupported_model' });
  const { render } = createChatTemplate("{{ raise_exception('Roles must alternate') }}", ENDS);
  assert.throws(() => render({ messages: [USER], tools: [], thinking: false }), {
    code: 'invalid_request',
    param: 'messages',
    message: /Roles must alternate/,
  });
});

test('equal templates have equal hashes', () => {
  const hash = (source: string) => createChatTemplate(source, ENDS).hash;
  assert.equal(hash('a'), hash('a'));
  assert.notEqual(hash('a'), hash('b'));
  assert.match(hash('a'), /^[0-9a-f]{64}$/);
});
