/** A source tree and the imports that its files write. */
import { readdir, readFile } from 'node:fs/promises';
import { join, posix, sep } from 'node:path';

export interface SourceFile {
  /** Relative to the tree, with `/`. */
  readonly path: string;
  /** Without comments. */
  readonly code: string;
  readonly lines: number;
  /** Files of the tree that it imports, by path; types included. */
  readonly files: readonly string[];
  /** Packages that it imports, without those of Node. */
  readonly packages: readonly string[];
}

/** This repository's own sources, seen from a compiled test. */
export const OWN_SOURCES = new URL('../../../src/', import.meta.url);

/** Every TypeScript file under `root`, by path. */
export async function readSources(root: string): Promise<SourceFile[]> {
  const names = await readdir(root, { recursive: true });
  const paths = names.map((name) => name.split(sep).join('/')).filter((name) => name.endsWith('.ts'));
  return Promise.all(
    paths.sort().map(async (path) => parseSource(path, await readFile(join(root, path), 'utf8'))),
  );
}

function parseSource(path: string, text: string): SourceFile {
  const code = withoutComments(text);
  const specifiers = importsOf(code);
  const folder = posix.dirname(path);
  return {
    path,
    code,
    lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    files: specifiers.filter((name) => name.startsWith('.')).map((name) => posix.join(folder, name)),
    packages: specifiers.filter((name) => !/^(\.|node:)/.test(name)).map(packageName),
  };
}

/** The formatter keeps every static import at the start of a line. */
const IMPORTS = [
  /^(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
  /^import\s*['"]([^'"]+)['"]/gm,
  /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g,
];

function importsOf(code: string): string[] {
  const found = IMPORTS.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1]!));
  return [...new Set(found)];
}

/** Strings are matched too, so that one that holds `//` is not cut. */
const COMMENT_OR_STRING =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;

function withoutComments(text: string): string {
  return text.replace(COMMENT_OR_STRING, (found) => (found.startsWith('/') ? ' ' : found));
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
