/** Scripts in Python that test the service from the outside. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readEnvironment } from '../../src/config/environment.ts';

/** The interpreter that PERCEPT_TEST_PYTHON names. */
export function python(): string | undefined {
  return readEnvironment()['PERCEPT_TEST_PYTHON'] || undefined;
}

/** Runs test-models/SCRIPT and gives what it printed, parsed line by line. Throws what it wrote to standard error when it fails. */
export async function runScript(
  script: string,
  interpreter: string,
  args: readonly string[],
): Promise<unknown[]> {
  const path = fileURLToPath(new URL(`../../../test-models/${script}`, import.meta.url));
  const { stdout } = await promisify(execFile)(interpreter, [path, ...args], {
    timeout: 120_000,
    maxBuffer: 2 ** 24,
  });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}
