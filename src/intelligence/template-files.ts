/** The files of templates and prompts in a folder, with a stamp each that tells when one has changed. */
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface FoundFile {
  readonly path: string;
  /** Another after every change, as far as the file system tells: times of content and of state, length, and which file it is. */
  readonly stamp: string;
}

/** By name without extension. */
export interface FoundFiles {
  readonly schemas: ReadonlyMap<string, FoundFile>;
  readonly prompts: ReadonlyMap<string, FoundFile>;
  /** Files of ours by their extension, whose names nobody could ask for. */
  readonly misnamed: readonly string[];
}

/** Names are ids: they hold nothing that a path could be made of. */
const NAME = /^[a-z0-9_-]{1,64}$/;
/** A template of ours has 2 KB. */
const MAX_FILE_BYTES = 256 * 1024;

export function isTemplateName(text: string): boolean {
  return NAME.test(text);
}

/** `NAME.json`, and `prompts/NAME.jinja` below. A folder that is not there holds nothing. */
export async function findTemplateFiles(folder: string): Promise<FoundFiles> {
  const misnamed: string[] = [];
  const find = async (directory: string, extension: string) => {
    const found = new Map<string, FoundFile>();
    const names = (await readdir(directory).catch(noFolder)).filter((name) => name.endsWith(extension));
    for (const file of names.sort()) {
      const name = file.slice(0, -extension.length);
      const path = join(directory, file);
      const stats = await stat(path).catch(() => undefined);
      if (stats === undefined || !stats.isFile()) continue;
      if (!isTemplateName(name)) misnamed.push(path);
      else found.set(name, { path, stamp: [stats.mtimeMs, stats.ctimeMs, stats.size, stats.ino].join(' ') });
    }
    return found;
  };
  const schemas = await find(folder, '.json');
  return { schemas, prompts: await find(join(folder, 'prompts'), '.jinja'), misnamed };
}

/** Throws a plain Error with the reason. */
export async function readTemplateFile({ path }: FoundFile): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size > MAX_FILE_BYTES) throw new Error(`it has ${size} bytes; at most ${MAX_FILE_BYTES} are read`);
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile());
  } finally {
    await file.close();
  }
}

function noFolder(cause: NodeJS.ErrnoException): string[] {
  if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return [];
  throw cause;
}
