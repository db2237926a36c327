import assert from 'node:assert/strict';
import test from 'node:test';
import { AdmissionGate } from '../../src/engine/admission.ts';

function refusal(gate: AdmissionGate): { code: string; retryAfterSeconds: number } {
  try {
    gate.admit();
  } catch (error) {
    return error as { code: string; retryAfterSeconds: number };
  }
  return assert.fail('admitted');
}

test('no more than the depth are inside, and a place that is given back can be taken', () => {
  const gate = new AdmissionGate(2);
  const first = gate.admit();
  gate.admit();
  assert.equal(refusal(gate).code, 'queue_full');
  first.release();
  gate.admit();
  assert.equal(gate.admitted, 2);
});

test('giving a place back twice frees one', () => {
  const gate = new AdmissionGate(2);
  const first = gate.admit();
  gate.admit();
  first.release();
  first.release();
  assert.equal(gate.admitted, 1);
});

test('the time to wait is a whole number of seconds, at least one, before anything is known', () => {
  assert.equal(refusal(new AdmissionGate(0)).retryAfterSeconds, 1);
});

test('the time to wait follows how long requests took, and is shared by those inside', () => {
  let nowMs = 0;
  const gate = new AdmissionGate(2, () => nowMs);
  for (let count = 0; count < 20; count += 1) {
    const admission = gate.admit();
    nowMs += 15_000;
    admission.release();
  }
  gate.admit();
  gate.admit();
  assert.equal(refusal(gate).retryAfterSeconds, 8);
});

test('the time to wait never passes a minute', () => {
  let nowMs = 0;
  const gate = new AdmissionGate(1, () => nowMs);
  const admission = gate.admit();
  nowMs += 3_600_000;
  admission.release();
  gate.admit();
  assert.equal(refusal(gate).retryAfterSeconds, 60);
});
