/** The rooms of the program, from the top down, and what each may import. docs/architecture.md draws and explains them. */
import type { SourceFile } from './imports.ts';

/** What a task stands on: the same for each, and never another task. */
const BELOW_TASKS = ['audio', 'engine', 'store', 'graphs', 'backends', 'config', 'base'];
const TASKS = ['speech', 'vision', 'language'];

/** A room may import those named, and itself. `top` is the files beside the folders: the entries of processes, and what puts the rooms together. */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  top: ['cli', 'server', 'intelligence', 'jobs', 'install', ...TASKS, ...BELOW_TASKS],
  cli: ['server', 'intelligence', 'jobs', 'install', ...TASKS, ...BELOW_TASKS],
  server: ['intelligence', 'jobs', ...TASKS, 'config', 'base'],
  intelligence: ['jobs', 'config', 'base'],
  jobs: ['config', 'base'],
  install: ['config', 'base'],
  speech: BELOW_TASKS,
  vision: BELOW_TASKS,
  language: BELOW_TASKS,
  audio: ['base'],
  engine: ['base'],
  store: ['base'],
  graphs: ['base'],
  backends: ['base'],
  config: ['base'],
  base: [],
};

export function roomOf(path: string): string {
  const slash = path.indexOf('/');
  return slash > 0 ? path.slice(0, slash) : 'top';
}

export interface Arrow {
  readonly from: string;
  readonly to: string;
}

/** Imports between rooms, each once, from the top down. */
export function arrowsOf(files: readonly SourceFile[]): Arrow[] {
  const names = Object.keys(ROOMS);
  const place = (room: string) => names.indexOf(room);
  const found = new Map<string, Arrow>();
  for (const file of files) {
    const from = roomOf(file.path);
    for (const to of file.files.map(roomOf)) if (to !== from) found.set(`${from} ${to}`, { from, to });
  }
  return [...found.values()].sort((a, b) => place(a.from) - place(b.from) || place(a.to) - place(b.to));
}
