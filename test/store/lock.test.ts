import assert from 'node:assert/strict';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { withLock } from '../../src/store/lock.ts';
import { isOwnerAlive, ownerTag } from '../../src/store/owner.ts';
import { temporaryFolder } from './fixtures.ts';

test('many who ask at once hold the lock one after the other, and leave nothing', async (t) => {
  const folder = await temporaryFolder(t);
  let holders = 0;
  let turns = 0;
  const turn = () =>
    withLock({ folder, name: 'x' }, async () => {
      holders += 1;
      assert.equal(holders, 1);
      await new Promise(setImmediate);
      holders -= 1;
      turns += 1;
    });
  await Promise.all(Array.from({ length: 8 }, turn));
  assert.equal(turns, 8);
  assert.deepEqual(await readdir(folder), []);
});

test('locks of other names do not wait for each other, and a failure releases', async (t) => {
  const folder = await temporaryFolder(t);
  const inner = withLock({ folder, name: 'a' }, () => withLock({ folder, name: 'ab' }, async () => 'both'));
  assert.equal(await inner, 'both');
  await assert.rejects(
    withLock({ folder, name: 'a' }, async () => {
      throw new Error('no');
    }),
    { message: 'no' },
  );
  assert.equal(await withLock({ folder, name: 'a' }, async () => 'again'), 'again');
});

test('a waiting asker is told once, and leaves when its signal fires', async (t) => {
  const folder = await temporaryFolder(t);
  let waits = 0;
  await withLock({ folder, name: 'x' }, async () => {
    const controller = new AbortController();
    const onWait = () => {
      waits += 1;
      setTimeout(() => controller.abort(), 300);
    };
    await assert.rejects(
      withLock({ folder, name: 'x' }, async () => 'never', { signal: controller.signal, onWait }),
      { code: 'cancelled' },
    );
  });
  assert.equal(waits, 1);
});

test('the claim of a dead process is taken over at once, that of another host when it is no longer touched', async (t) => {
  const folder = await temporaryFolder(t);
  const host = ownerTag().split('.')[0];
  await writeFile(join(folder, `x@${host}.4194305.1.aa`), '');
  assert.equal(await withLock({ folder, name: 'x' }, async () => 'taken'), 'taken');

  const foreign = join(folder, 'x@00000000.1.1.aa');
  await writeFile(foreign, '');
  const tried = withLock({ folder, name: 'x' }, async () => 'taken', { signal: AbortSignal.timeout(250) });
  await assert.rejects(tried, { code: 'cancelled' });
  const longAgo = new Date(Date.now() - 120_000);
  await utimes(foreign, longAgo, longAgo);
  assert.equal(await withLock({ folder, name: 'x' }, async () => 'taken'), 'taken');
});

test('a process number given out again is not taken for its former owner', () => {
  const file = { touchedMs: Date.now(), staleMs: 1000 };
  const [host, pid, start] = ownerTag().split('.');
  assert.equal(isOwnerAlive(`${host}.${pid}.${start}`, file), true);
  assert.equal(isOwnerAlive(`${host}.${pid}.${Number(start) + 1}`, file), false);
});
