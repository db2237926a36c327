/** Fewer states for the same set of strings. */
import type { Automaton, Edge } from './states.ts';

/** Steps that merging states of a set with loops may take; what is left then is correct, only larger. */
const MAX_STEPS = 4_000_000;

/** Without states that no accepted string passes, without two states for the same rest, numbered in the order of a breadth-first walk. */
export function minimise(automaton: Automaton): Automaton {
  const live = liveStates(automaton);
  if (!live[0]) return { edges: [[]], accepting: [false] };
  const edges = automaton.edges.map((list) => list.filter(({ to }) => live[to]));
  const trimmed = { edges, accepting: automaton.accepting };
  return merged(trimmed, classesWithoutLoops(trimmed) ?? classesByRounds(trimmed));
}

export function hasLoop({ edges }: Automaton): boolean {
  return endsFirst(edges) === undefined || edges.some((list, state) => list.some(({ to }) => to === state));
}

/** Which states lead to an accepting one. */
function liveStates({ edges, accepting }: Automaton): boolean[] {
  const sources: number[][] = edges.map(() => []);
  for (const [state, list] of edges.entries()) for (const { to } of list) sources[to]!.push(state);
  const live = [...accepting];
  const queue = live.flatMap((isLive, state) => (isLive ? [state] : []));
  for (let state = queue.pop(); state !== undefined; state = queue.pop()) {
    for (const source of sources[state]!) {
      if (live[source]) continue;
      live[source] = true;
      queue.push(source);
    }
  }
  return live;
}

/** A target of an edge that leads back to its own state. */
const ITSELF = -2;

/**
 * From the ends backwards: a state is known by what follows it, and one that leads back to itself by that it does. Undefined where a
 * longer loop is: then neither of its states is known before the other.
 */
function classesWithoutLoops({ edges, accepting }: Automaton): number[] | undefined {
  const order = endsFirst(edges);
  if (order === undefined) return undefined;
  const classes = new Array<number>(edges.length).fill(ITSELF);
  const known = new Map<string, number>();
  let count = 0;
  for (const state of order) {
    const signature = signatureOf(accepting[state]!, edges[state]!, classes);
    const found = known.get(signature) ?? count++;
    known.set(signature, found);
    classes[state] = found;
    // A state that only leads into such a one is the same, as it goes on in the same way.
    if (edges[state]!.some(({ to }) => to === state)) {
      known.set(signatureOf(accepting[state]!, edges[state]!, classes), found);
    }
  }
  return classes;
}

/** The reachable states, each after those that it leads to; undefined where there is a loop of more than one state. */
function endsFirst(edges: readonly (readonly Edge[])[]): number[] | undefined {
  const order: number[] = [];
  const marks = new Uint8Array(edges.length);
  const OPEN = 1;
  const DONE = 2;
  const stack: { state: number; next: number }[] = [{ state: 0, next: 0 }];
  marks[0] = OPEN;
  while (stack.length > 0) {
    const top = stack.at(-1)!;
    const edge = edges[top.state]![top.next];
    if (edge === undefined) {
      marks[top.state] = DONE;
      order.push(top.state);
      stack.pop();
      continue;
    }
    top.next += 1;
    if (edge.to === top.state) continue;
    if (marks[edge.to] === OPEN) return undefined;
    if (marks[edge.to] === DONE) continue;
    marks[edge.to] = OPEN;
    stack.push({ state: edge.to, next: 0 });
  }
  return order;
}

/** Moore's algorithm: states are apart as soon as one step tells them apart, round after round. */
function classesByRounds({ edges, accepting }: Automaton): number[] {
  let classes = accepting.map(Number);
  let count = 0;
  const each = edges.map((_, state) => state);
  for (let steps = 0; ; ) {
    const known = new Map<string, number>();
    const next = each.map((state) => {
      const signature = `${classes[state]} ${signatureOf(accepting[state]!, edges[state]!, classes)}`;
      const found = known.get(signature) ?? known.size;
      known.set(signature, found);
      return found;
    });
    if (known.size === count) return next;
    count = known.size;
    classes = next;
    steps += edges.length;
    if (steps > MAX_STEPS) return each;
  }
}

/** The edges with neighbours that lead to the same class made one. */
function signatureOf(accepting: boolean, edges: readonly Edge[], classes: readonly number[]): string {
  let signature = accepting ? '+' : '-';
  for (const { first, last, to } of joined(edges, classes)) signature += `${first},${last},${to};`;
  return signature;
}

function joined(edges: readonly Edge[], classes: readonly number[]): Edge[] {
  const found: { first: number; last: number; to: number }[] = [];
  for (const { first, last, to } of edges) {
    const before = found.at(-1);
    if (before !== undefined && before.last + 1 === first && before.to === classes[to]) before.last = last;
    else found.push({ first, last, to: classes[to]! });
  }
  return found;
}

function merged({ edges, accepting }: Automaton, classes: readonly number[]): Automaton {
  const numbers = new Map<number, number>([[classes[0]!, 0]]);
  const members = [0];
  const found: Edge[][] = [];
  const firstMember = new Map<number, number>();
  for (const [state, name] of classes.entries()) if (!firstMember.has(name)) firstMember.set(name, state);
  for (let number = 0; number < members.length; number += 1) {
    const list = joined(edges[members[number]!]!, classes).map(({ first, last, to }) => {
      let target = numbers.get(to);
      if (target === undefined) {
        target = members.push(firstMember.get(to)!) - 1;
        numbers.set(to, target);
      }
      return { first, last, to: target };
    });
    found.push(list);
  }
  return { edges: found, accepting: members.map((state) => accepting[state]!) };
}
