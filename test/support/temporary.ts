import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A folder of the test's own, removed after it. */
export async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'percept-test-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function temporaryFile(
  context: TestContext,
  name: string,
  content: Uint8Array,
): Promise<string> {
  const path = join(await temporaryFolder(context), name);
  await writeFile(path, content);
  return path;
}
