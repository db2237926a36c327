/** A Redis of the test's own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why tests with Redis are skipped; false where they can run. */
export const NO_REDIS = hasRedis() ? false : 'needs redis-server in the PATH';

export interface RedisServer {
  readonly port: number;
  url(database?: number): string;
  /** As a power cut would, nearly. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** To be called at the end. */
  remove(): Promise<void>;
}

/** Writes its log once a second, as the operator's page advises. */
export async function startRedis(): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'percept-test-redis-'));
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
    async remove() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
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

/** Sends them over a connection of its own; gives the last answer as it comes. */
export async function redisCommand(port: number, ...commands: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(`${commands.join('\r\n')}\r\nQUIT\r\n`));
    let answers = '';
    socket.on('data', (data) => {
      answers += data;
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(answers));
  });
}
