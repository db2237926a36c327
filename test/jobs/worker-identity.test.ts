import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { createWorkerIdentity, hasProcessEnded } from '../../src/jobs/worker-identity.ts';
import { eventually } from '../support/processes.ts';

const skip = process.platform !== 'linux' && 'needs /proc';

test('every start of a worker is told apart', () => {
  const [one, other] = [createWorkerIdentity('speech'), createWorkerIdentity('speech')];
  assert.notEqual(one.id, other.id);
  assert.match(one.name, /^speech@./);
});

test('a process is known to have ended once it has, and not before', { skip }, async () => {
  const child = spawn('sleep', ['60']);
  const start = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19]!;
  const identity = { ...createWorkerIdentity(), pid: child.pid!, processStart: start };
  assert.equal(hasProcessEnded(identity), false);
  child.kill('SIGKILL');
  await eventually(() => hasProcessEnded(identity), 'the process has ended');
});

test('nothing is said of a process of another machine, or where the system does not tell', () => {
  const identity = { ...createWorkerIdentity(), processStart: '1' };
  assert.equal(hasProcessEnded({ ...identity, host: 'another host' }), false);
  assert.equal(hasProcessEnded({ ...identity, host: undefined }), false);
  assert.equal(hasProcessEnded({ ...identity, processStart: undefined }), false);
});
