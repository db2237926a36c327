import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { OWN_SOURCES, readSources } from '../support/imports.ts';

const PAGE = new URL('../../../docs/architecture.md', import.meta.url);
const PAGES = [PAGE, new URL('../../../docs/extending.md', import.meta.url)];
const ROOT = new URL('../../../', import.meta.url);

/** Paths and functions in the order of the pages; a function belongs to the file named before it. */
async function named(): Promise<{ paths: string[]; functions: { path: string; name: string }[] }> {
  const page = (await Promise.all(PAGES.map((one) => readFile(one, 'utf8')))).join('\n');
  const paths: string[] = [];
  const functions: { path: string; name: string }[] = [];
  for (const [, path, name] of page.matchAll(/`((?:src|test|docs)\/[\w./-]*)`|`(\w+)\(\)`/g)) {
    if (path !== undefined) paths.push(path);
    else functions.push({ path: paths.at(-1) ?? '', name: name! });
  }
  return { paths, functions };
}

test('every path in docs/architecture.md and docs/extending.md exists', async () => {
  const { paths } = await named();
  assert.ok(paths.length > 40, `only ${paths.length} paths were found`);
  assert.deepEqual(
    paths.filter((path) => !existsSync(new URL(path, ROOT))),
    [],
  );
});

test('every function in them is defined in the file named before it', async () => {
  const { functions } = await named();
  const files = await readSources(fileURLToPath(OWN_SOURCES));
  assert.ok(functions.length > 20, `only ${functions.length} functions were found`);
  const missing = functions.filter(({ path, name }) => {
    const file = files.find((candidate) => `src/${candidate.path}` === path);
    const definition = new RegExp(
      `\\bfunction\\*? ${name}\\b|^ +(?:static )?(?:async )?[#*]*${name}(?:<[^>]*>)?\\(`,
      'm',
    );
    return file === undefined || !definition.test(file.code);
  });
  assert.deepEqual(missing, []);
});

test('docs/architecture.md stays within three pages', async () => {
  const words = (await readFile(PAGE, 'utf8')).split(/\s+/).length;
  assert.ok(words <= 1800, `${words} words`);
});
