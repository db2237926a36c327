/** One attempt at one task, over whichever store keeps it. */

import { AppError, type WireError } from '../base/errors.ts';
import type { Clock } from './clock.ts';
import type { Claim, FollowUps, QueueLimits } from './queue.ts';
import { newRecord, type TaskRecord, toSummary } from './record.ts';
import type { Json, Task, TaskState } from './task.ts';
import type { Change, TaskStore } from './task-store.ts';
import { claimLost, type End, ended, released, requireClaim, retried, updated } from './transitions.ts';

interface ClaimContext {
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly limits: QueueLimits;
}

export function createClaim(
  { store, clock, limits }: ClaimContext,
  { task, token }: { readonly task: Task; readonly token: string },
): Claim {
  const change = async (
    decide: (record: TaskRecord, input: string, now: number) => Change,
    goal?: TaskState,
  ) => {
    await store.change(task.id, (stored) => {
      // Done already: the answer was lost on its way, and it was asked for again.
      if (goal !== undefined && stored?.record.state === goal && stored.record.token === token)
        return undefined;
      const record = requireClaim(stored?.record, token);
      return decide(record, stored!.input, clock.now());
    });
  };
  const end = (
    how: { readonly end: End; readonly error?: WireError },
    followUps: FollowUps | undefined,
    output?: string,
  ) =>
    change((before, input, now) => {
      const record = ended(before, how, now);
      const next = followUps?.(toSummary({ record, input })).map((one) => newRecord(one, now));
      return { record, output, followUps: next };
    }, how.end);
  return {
    task,
    async update(change_) {
      const output = change_.output === undefined ? undefined : writeOutput(change_.output, limits);
      await change((record, _input, now) => ({ record: updated(record, change_, now), output }));
    },
    async beat() {
      const answer = await store.beat(task.id, token);
      if (answer === undefined) throw claimLost();
      return answer;
    },
    async complete(output, followUps) {
      await end({ end: 'complete' }, followUps, writeOutput(output, limits));
    },
    fail: (error, followUps) => end({ end: 'failed', error }, followUps),
    cancelled: (followUps) => end({ end: 'cancelled' }, followUps),
    retryLater: (error, afterMs) =>
      change((record, _input, now) => ({ record: retried(record, { error, afterMs }, now) }), 'waiting'),
    release: () => change((record, _input, now) => ({ record: released(record, now) }), 'waiting'),
  };
}

/** Throws `result_too_large`. */
function writeOutput(output: Json, { maxOutputBytes }: QueueLimits): string {
  const text = JSON.stringify(output);
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes <= maxOutputBytes) return text;
  throw new AppError(
    'result_too_large',
    `The result has ${sizeBytes} bytes as JSON; tasks.max_result_bytes allows ${maxOutputBytes}.`,
  );
}
