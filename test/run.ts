/**
 * Runs the test files with Node's own runner and closes with one line: `N passed, N failed, N skipped`.
 * `--models` runs test-models/ (real weights) in place of test/; further arguments keep the files whose path holds one.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const arguments_ = process.argv.slice(2);
const withModels = arguments_.includes('--models');
const wanted = arguments_.filter((argument) => !argument.startsWith('--'));
const root = fileURLToPath(new URL(withModels ? '../test-models/' : './', import.meta.url));

const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.js'))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .map((name) => join(root, name))
  .sort();

let passed = 0;
let failed = 0;
let skipped = 0;
// Model tests take both cores each; the others are mostly waiting.
const stream = run({ files, concurrency: withModels ? 1 : 2, timeout: withModels ? 900_000 : 300_000 });
stream.on('test:pass', (event) => {
  if (isGroup(event)) return;
  if (event.skip !== undefined && event.skip !== false) skipped += 1;
  else passed += 1;
});
stream.on('test:fail', (event) => {
  if (!isGroup(event)) failed += 1;
  process.exitCode = 1;
});
stream.on('end', () => {
  setImmediate(() => {
    if (passed + failed + skipped === 0) process.exitCode = 1;
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  });
});
stream.compose(new spec()).pipe(process.stdout);

/** A describe block or a file as a whole: its tests are counted, not itself. */
function isGroup(event: { details: { type?: string | undefined }; name: string }): boolean {
  return event.details.type === 'suite' || event.name.endsWith('.test.js');
}
