/** A Redis of the test's own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import type { TestContext } from 'node:test';
import { temporaryFolder } from '../support/temporary.ts';

/** Why tests with Redis are skipped; false where they can run. */
export const NO_REDIS = hasRedis() ? false : 'needs redis-server in the PATH';

export interface RedisServer {
  readonly port: number;
  url(database?: number): string;
  /** As a power cut would, nearly. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** Writes its log once a second, as the operator's page advises. */
export async function startRedis(context: Pick<TestContext, 'after'>): Promise<RedisServer> {
  const folder = await temporaryFolder(context as TestContext);
  const port = await freePort();
  let child: ChildProcess | undefined;
  const server: RedisServer = {
    port,
    url: (database = 0) => `redis://127.0.0.1:${port}/${database}`,
    async kill() {
      if (child === undefined) return;
      const exited = new Promise((resolve) => child!.once('exit', resolve));
      child.kill('SIGKILL');
      await exited;
      child = undefined;
    },
    async start() {
      const options = {
        dir: folder,
        port,
        bind: '127.0.0.1',
        appendonly: 'yes',
        appendfsync: 'everysec',
        databases: 128,
      };
      const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
      child = spawn('redis-server', [...args, '--save', ''], { stdio: 'ignore' });
      await answer(port);
    },
  };
  context.after(() => server.kill());
  await server.start();
  return server;
}

function hasRedis(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Until it answers PING with something else than that it is loading. */
async function answer(port: number): Promise<void> {
  for (const begun = Date.now(); Date.now() - begun < 10_000; ) {
    const reply = await new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
      socket.once('data', (data) => {
        resolve(data.toString());
        socket.destroy();
      });
      socket.once('error', () => resolve(''));
    });
    if (reply.startsWith('+PONG')) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('redis-server does not answer');
}
