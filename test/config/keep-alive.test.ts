import assert from 'node:assert/strict';
import test from 'node:test';
import { KEEP_FOREVER, parseKeepAlive } from '../../src/config/keep-alive.ts';

test('keep_alive is read as seconds, durations, or for ever when negative', () => {
  const cases: [string | number, number][] = [
    [0, 0],
    ['0', 0],
    [90, 90],
    ['90', 90],
    ['90s', 90],
    ['5m', 300],
    ['1h30m', 5400],
    ['1.5h', 5400],
    [' 5m ', 300],
    [-1, KEEP_FOREVER],
    ['-1', KEEP_FOREVER],
    ['-5m', KEEP_FOREVER],
  ];
  for (const [written, seconds] of cases) assert.equal(parseKeepAlive(written), seconds, String(written));
});

test('anything else is refused with the parameter named', () => {
  for (const written of ['', 'm', '5x', '5 m', 'Infinity', Number.NaN, Number.POSITIVE_INFINITY, 1e12]) {
    assert.throws(() => parseKeepAlive(written), { code: 'invalid_request', param: 'keep_alive' });
  }
});
