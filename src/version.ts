import { readFileSync } from 'node:fs';

/** Of package.json, two folders above this file once built. */
export const VERSION: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
