import { readFileSync } from 'node:fs';

/** A file of test/fixtures/images/. */
export function picture(name: string): Buffer {
  return readFileSync(new URL(`../../../test/fixtures/images/${name}`, import.meta.url));
}
