import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { devNull } from 'node:os';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { readEnvironment } from '../src/config/environment.ts';
import { temporaryFolder } from './support/temporary.ts';

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));

test('SIGTERM ends an idle server at once, with exit code 0, even with a connection open', async (t) => {
  const child = spawn(process.execPath, [MAIN, '--config', devNull, 'serve', '--port', '0'], {
    env: {
      ...readEnvironment(),
      PERCEPT_HOME: await temporaryFolder(t),
      PERCEPT_OFFLINE: '1',
      PERCEPT_MODELS_PRELOAD: 'false',
      PERCEPT_LOG_FORMAT: 'json',
      PERCEPT_SERVER_STOP_TIMEOUT_SECONDS: '60',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(30_000) });
  for await (const text of createInterface({ input: child.stderr })) {
    const { msg, url } = JSON.parse(text) as { msg: string; url?: string };
    if (msg !== 'listening') continue;
    // The client of this process keeps the connection.
    assert.equal((await fetch(`${url}/health`)).status, 200);
    child.kill('SIGTERM');
    break;
  }
  assert.deepEqual(await ended, [0, null]);
});
