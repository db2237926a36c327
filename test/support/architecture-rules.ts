/** The rules of the source tree, each as a list of what breaks it. */
import type { SourceFile } from './imports.ts';
import { ROOMS, roomOf } from './rooms.ts';

type Rule = (files: readonly SourceFile[]) => string[];

const MAX_LINES = 400;

/** Libraries that more than one file may import, with how the paths of those begin. Any other belongs to the one file that hides it. */
const SHARED_LIBRARIES: readonly { readonly library: RegExp; readonly places: readonly string[] }[] = [
  { library: /^(fastify|@fastify\/.*)$/, places: ['server/'] },
  { library: /^commander$/, places: ['cli/', 'main.ts'] },
  { library: /^zod$/, places: [''] },
  // Chat templates and our own prompts are both Jinja.
  { library: /^@huggingface\/jinja$/, places: ['language/chat-template.ts', 'intelligence/prompts.ts'] },
  // The configuration is YAML, and so is that of ChunkFormer models, which the store looks at before it moves their weights.
  { library: /^yaml$/, places: ['config/sources.ts', 'store/chunkformer-config.ts'] },
];

/** Native and network libraries, whose place is fixed. */
const OWNERS: Readonly<Record<string, string>> = {
  'onnxruntime-node': 'backends/onnx.ts',
  undici: 'store/network.ts',
  koffi: 'backends/hailo/library.ts',
};

const RULES: readonly Rule[] = [
  knownRooms,
  downwardImports,
  noCycles,
  readableImports,
  oneOwnerPerLibrary,
  environmentInOnePlace,
  noPathsOutside,
  smallFiles,
];

/** Every broken rule, in words; none in a sound tree. */
export function findViolations(files: readonly SourceFile[]): string[] {
  return RULES.flatMap((rule) => rule(files));
}

function knownRooms(files: readonly SourceFile[]): string[] {
  const unknown = files.filter(({ path }) => ROOMS[roomOf(path)] === undefined);
  return unknown.map(({ path }) => `${path} lies in no known room`);
}

function downwardImports(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, files: imports }) => {
    const from = roomOf(path);
    const allowed = [from, ...(ROOMS[from] ?? [])];
    const wrong = imports.filter((target) => !allowed.includes(roomOf(target)));
    return wrong.map((target) => `${path} imports ${target}: ${from} may not import ${roomOf(target)}`);
  });
}

/** Depth first; an import of a file that is still open closes a cycle. */
function noCycles(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const open: string[] = [];
  const cycles: string[] = [];
  const visit = (path: string) => {
    if (done.has(path)) return;
    const start = open.indexOf(path);
    if (start >= 0) {
      cycles.push(`import cycle: ${[...open.slice(start), path].join(' -> ')}`);
      return;
    }
    open.push(path);
    for (const target of byPath.get(path)?.files ?? []) visit(target);
    open.pop();
    done.add(path);
  };
  for (const { path } of files) visit(path);
  return cycles;
}

/** A call, not a method of that name: neither after a dot nor with a typed parameter. */
const UNREADABLE_IMPORT = /(?<![.\w])import\((?!\s*\w+\??: )(?!\s*['"][^'"]+['"]\s*\))/;

/** What `imports.ts` could not follow would escape every other rule. */
function readableImports(files: readonly SourceFile[]): string[] {
  const known = new Set(files.map(({ path }) => path));
  return files.flatMap(({ path, code, files: imports }) => [
    ...(UNREADABLE_IMPORT.test(code) ? [`${path} imports something whose name is not written out`] : []),
    ...(/\bcreateRequire\(/.test(code) ? [`${path} uses createRequire`] : []),
    ...imports
      .filter((target) => !known.has(target))
      .map((target) => `${path} imports ${target}, which is not there`),
  ]);
}

function oneOwnerPerLibrary(files: readonly SourceFile[]): string[] {
  const importers = new Map<string, string[]>();
  for (const { path, packages } of files) {
    for (const library of packages) importers.set(library, [...(importers.get(library) ?? []), path]);
  }
  return [...importers].flatMap(([library, paths]) => {
    const shared = SHARED_LIBRARIES.find((rule) => rule.library.test(library));
    if (shared !== undefined) {
      const strangers = paths.filter((path) => !shared.places.some((place) => path.startsWith(place)));
      return strangers.map(
        (path) => `${path} imports ${library}, which belongs to ${shared.places.join(', ')}`,
      );
    }
    const owner = OWNERS[library] ?? paths[0]!;
    const others = paths.filter((path) => path !== owner);
    return others.map((path) => `${path} imports ${library}, which belongs to ${owner}`);
  });
}

function environmentInOnePlace(files: readonly SourceFile[]): string[] {
  const readers = files.filter(
    ({ path, code }) => /\bprocess\s*\.\s*env\b/.test(code) && path !== 'config/environment.ts',
  );
  return readers.map(({ path }) => `${path} reads process.env, which is for config/environment.ts`);
}

/** The program lives from what it is given, never from where it was written. */
function noPathsOutside(files: readonly SourceFile[]): string[] {
  const outside = files.filter(({ code }) => /['"`]\/work\b|\.\.\/shared\b/.test(code));
  return outside.map(({ path }) => `${path} names a path outside the repository`);
}

function smallFiles(files: readonly SourceFile[]): string[] {
  const large = files.filter(({ lines }) => lines > MAX_LINES);
  return large.map(({ path, lines }) => `${path} has ${lines} lines; at most ${MAX_LINES}`);
}
