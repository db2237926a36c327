/** A real S3 server on this machine: Versity's gateway over a directory, started for one test (https://github.com/versity/versitygw). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { readEnvironment } from '../../src/config/environment.ts';
import { temporaryFolder } from './temporary.ts';

export interface S3Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

const PROGRAM = readEnvironment()['PERCEPT_TEST_VERSITYGW'];

/** Why tests with it are skipped; false where they run. */
export function whyNoS3(): string | false {
  if (PROGRAM === undefined) return 'PERCEPT_TEST_VERSITYGW names no S3 server';
  return existsSync(PROGRAM) ? false : `there is no S3 server at ${PROGRAM}`;
}

export async function startS3(context: TestContext): Promise<S3Server> {
  const root = await temporaryFolder(context);
  const bucket = 'recordings';
  await mkdir(join(root, bucket));
  const credentials = { accessKeyId: 'percept-test', secretAccessKey: 'percept-test-secret' };
  const port = await freePort();
  const { accessKeyId, secretAccessKey } = credentials;
  const words = ['--access', accessKeyId, '--secret', secretAccessKey, '--port', `127.0.0.1:${port}`];
  const child = spawn(PROGRAM!, [...words, 'posix', root], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  context.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const endpoint = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 200; tries += 1) {
    if (await fetch(endpoint).catch(() => undefined)) return { endpoint, bucket, credentials };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${PROGRAM} does not answer at ${endpoint}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
