import assert from 'node:assert/strict';
import test from 'node:test';
import { createFairQueue, type TurnRules } from '../../src/speech/fair-queue.ts';

interface Item {
  readonly name: string;
  readonly owner: object;
  readonly cost: number;
  readonly shape: string;
  readonly stage: number;
}

const item = (owner: object, name: string, { cost = 1, shape = '', stage = 0 } = {}): Item => ({
  name,
  owner,
  cost,
  shape,
  stage,
});

function setUp(rules?: TurnRules<Item>) {
  const queue = createFairQueue<Item>(rules);
  return {
    add: (...items: Item[]) => {
      for (const one of items) queue.add(one);
    },
    take: (limit = 1) =>
      queue
        .take((one, taken) => one.shape === taken[0].shape && taken.length < limit)
        .map(({ name }) => name),
  };
}

test('one owner is served in order', () => {
  const { add, take } = setUp();
  const owner = {};
  add(item(owner, 'a'), item(owner, 'b'), item(owner, 'c'));
  assert.deepEqual([take(), take(), take(), take()], [['a'], ['b'], ['c'], []]);
});

test('who comes late and wants little is served next', () => {
  const { add, take } = setUp();
  const long = {};
  add(...['1', '2', '3', '4', '5', '6'].map((name) => item(long, name)));
  assert.deepEqual(take(2), ['1', '2']);
  add(item({}, 'short'));
  assert.deepEqual(take(2), ['short', '3']);
  assert.deepEqual(take(2), ['4', '5']);
});

test('a stream of short ones does not hold up a long one', () => {
  const { add, take } = setUp();
  const long = {};
  add(item(long, 'long 1'), item(long, 'long 2'), item(long, 'long 3'));
  const served: string[] = [];
  for (let turn = 0; turn < 12; turn += 1) {
    add(item({}, 'short'));
    served.push(...take());
  }
  assert.deepEqual(
    served.filter((name) => name !== 'short'),
    ['long 1', 'long 2', 'long 3'],
  );
});

test('owners share by cost, not by number', () => {
  const { add, take } = setUp();
  const [big, small] = [{}, {}];
  add(...['B1', 'B2', 'B3'].map((name) => item(big, name, { cost: 3 })));
  add(...['s1', 's2', 's3', 's4', 's5', 's6'].map((name) => item(small, name)));
  const order = Array.from({ length: 8 }, () => take()[0]!);
  assert.deepEqual(order, ['B1', 's1', 's2', 's3', 'B2', 's4', 's5', 's6']);
});

test('only what may go together is taken together', () => {
  const { add, take } = setUp();
  const [one, other] = [{}, {}];
  add(item(one, 'a1', { shape: 'x' }), item(one, 'a2', { shape: 'y' }), item(one, 'a3', { shape: 'x' }));
  add(item(other, 'b1', { shape: 'x' }), item(other, 'b2', { shape: 'y' }));
  assert.deepEqual(take(8), ['a1', 'b1', 'a3']);
  assert.deepEqual(take(8), ['b2', 'a2']);
});

test('who was away has no claim on what others had meanwhile', () => {
  const { add, take } = setUp();
  const [patient, away] = [{}, {}];
  add(item(away, 'before'));
  take();
  add(...['1', '2', '3', '4', '5', '6'].map((name) => item(patient, name)));
  take(4);
  add(item(away, 'x'), item(away, 'y'), item(away, 'z'));
  const order = [take(), take(), take(), take()].flat();
  assert.equal(order.filter((name) => 'xyz'.includes(name)).length, 2);
});

test('who stays is not taken for one who was away, and keeps what it is owed', () => {
  const { add, take } = setUp();
  const [one, other] = [{}, {}];
  add(item(other, 'b', { cost: 4 }), item(other, 'b', { cost: 4 }), item(one, 'a'));
  assert.deepEqual(take(), ['b']);
  const order: string[] = [];
  for (let turn = 0; turn < 5; turn += 1) {
    order.push(...take());
    if (order.at(-1) === 'a') add(item(one, 'a'));
  }
  assert.deepEqual(order, ['a', 'a', 'a', 'a', 'b']);
});

test('with stages those who are behind come abreast, and then all go together', () => {
  const { add, take } = setUp({ stageOf: ({ stage }) => stage, lead: 10 });
  const [ahead, behind] = [{}, {}];
  add(item(ahead, 'ahead 3', { stage: 3, shape: '3' }));
  const order: string[][] = [];
  for (let stage = 1; stage <= 3; stage += 1) {
    add(item(behind, `behind ${stage}`, { stage, shape: String(stage) }));
    order.push(take(8));
  }
  assert.deepEqual(order, [['behind 1'], ['behind 2'], ['ahead 3', 'behind 3']]);
});

test('one that stays behind goes first no longer than its lead lasts, and then in turn', () => {
  const { add, take } = setUp({ stageOf: ({ stage }) => stage, lead: 4 });
  const [ahead, behind] = [{}, {}];
  const order: string[] = [];
  add(item(ahead, 'A', { stage: 1 }), item(behind, 'B'));
  for (let turn = 0; turn < 10; turn += 1) {
    const [name] = take();
    order.push(name!);
    add(name === 'A' ? item(ahead, 'A', { stage: 1 }) : item(behind, 'B'));
  }
  assert.equal(order.join(''), 'BBBBBABABA');
});
