import assert from 'node:assert/strict';
import test from 'node:test';
import { Turnstile } from '../../src/engine/turnstile.ts';

test('as many as there are places go through, the others in the order of their coming', async () => {
  const turnstile = new Turnstile(2);
  const { signal } = new AbortController();
  const order: number[] = [];
  const leave: (() => void)[] = [];
  const enter = async (index: number) => {
    const leaveNow = await turnstile.enter(signal);
    order.push(index);
    leave.push(leaveNow);
  };
  const entering = [0, 1, 2, 3].map(enter);
  await Promise.all(entering.slice(0, 2));
  assert.deepEqual([order, turnstile.waiting], [[0, 1], 2]);
  leave[0]!();
  await entering[2];
  assert.deepEqual([order, turnstile.waiting], [[0, 1, 2], 1]);
  leave[1]!();
  await entering[3];
  assert.deepEqual([order, turnstile.waiting], [[0, 1, 2, 3], 0]);
});

test('who gives up waiting keeps nobody waiting', async () => {
  const turnstile = new Turnstile();
  const { signal } = new AbortController();
  const leave = await turnstile.enter(signal);
  const impatient = new AbortController();
  const given = assert.rejects(turnstile.enter(impatient.signal), { code: 'cancelled' });
  const patient = turnstile.enter(signal);
  impatient.abort();
  await given;
  leave();
  (await patient)();
  assert.equal(turnstile.waiting, 0);
});

test('who does not want to wait enters only where there is a place', async () => {
  const turnstile = new Turnstile();
  const leave = turnstile.enterNow()!;
  assert.equal(turnstile.enterNow(), undefined);
  const waiting = turnstile.enter(new AbortController().signal);
  leave();
  const leaveSecond = await waiting;
  assert.equal(turnstile.enterNow(), undefined);
  leaveSecond();
  assert.ok(turnstile.enterNow());
});
