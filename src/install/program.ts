/** The program as it is installed: which files, under which name of their release. */
import { createHash } from 'node:crypto';
import { chmod, constants, copyFile, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '../base/errors.ts';
import { productionPackages } from './packages.ts';

export interface Program {
  /** `<version>-<hash>`: another program has another name. */
  readonly release: string;
  readonly sizeBytes: number;
  readonly files: readonly ProgramFile[];
}

interface ProgramFile {
  readonly from: string;
  /** Inside the release. */
  readonly to: string;
  readonly sizeBytes: number;
  readonly mode: 0o644 | 0o755;
}

/** Beside `package.json`; what is not there, such as the lock file of a package from a registry, is left out. */
const PARTS = [
  'package.json',
  'package-lock.json',
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  'dist/src',
  'docs',
  'models',
  'native',
  'templates',
];
const ENTRY = 'dist/src/main.js';
/** ONNX Runtime comes with its libraries for all platforms, 200 MB of which only others can use. */
const OF_PLATFORM = /onnxruntime-node\/bin\/[^/]+\/(?<platform>\w+)\/(?<arch>\w+)\//;
/** Files that are copied at a time. */
const ABREAST = 16;

/** Of the installation in `source`, which holds `package.json`. Throws `not_runnable` if it is not built or not whole. */
export async function readProgram(source: string): Promise<Program> {
  const own = (await Promise.all(PARTS.map((part) => filesOf(join(source, part), part)))).flat();
  if (!own.some(({ to }) => to === ENTRY)) {
    throw new AppError(
      'not_runnable',
      `${join(source, ENTRY)} is missing, so there is no built program to install. Run \`npm ci && npm run build\` in ${source} first.`,
    );
  }
  const packages = await productionPackages(source);
  const foreign = (await Promise.all(packages.map(({ from, to }) => filesOf(from, to))))
    .flat()
    .filter(isOfUse);
  const files = [...own, ...foreign];
  const { version } = JSON.parse(await readFile(join(source, 'package.json'), 'utf8')) as { version: string };
  return {
    release: `${version}-${await hashOfProgram(own, foreign)}`,
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    files,
  };
}

function isOfUse({ to }: ProgramFile): boolean {
  const { platform, arch } = OF_PLATFORM.exec(to)?.groups ?? {};
  return platform === undefined || (platform === process.platform && arch === process.arch);
}

/** Into an empty directory. Whatever the rights and links of the source, and the umask, all of it can be read by the service's user. */
export async function copyProgram({ files }: Program, directory: string): Promise<void> {
  for (const folder of foldersOf(files)) {
    await mkdir(join(directory, folder));
    await chmod(join(directory, folder), 0o755);
  }
  const waiting = files.values();
  const copyNext = async () => {
    for (const { from, to, mode } of waiting) {
      const target = join(directory, to);
      await copyFile(from, target, constants.COPYFILE_FICLONE);
      await chmod(target, mode);
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, copyNext));
}

/** Outer ones first. */
function foldersOf(files: readonly ProgramFile[]): string[] {
  const found = new Set<string>();
  for (const { to } of files) {
    for (let folder = dirname(to); folder !== '.'; folder = dirname(folder)) found.add(folder);
  }
  return [...found].sort();
}

/** Our own files by what they hold, those of packages by name and size: a published version never changes. */
async function hashOfProgram(own: readonly ProgramFile[], foreign: readonly ProgramFile[]): Promise<string> {
  const hash = createHash('sha256');
  for (const { from, to, mode } of own) hash.update(`${to}\0${mode}\0`).update(await readFile(from));
  for (const { to, sizeBytes, mode } of foreign) hash.update(`${to}\0${sizeBytes}\0${mode}\0`);
  return hash.digest('hex').slice(0, 12);
}

/** Of a file or a folder, in a fixed order; links are followed, folders of packages within are left to `productionPackages`. */
async function filesOf(path: string, to: string): Promise<ProgramFile[]> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return [];
  if (found.isFile()) {
    const isProgram = to === ENTRY || (found.mode & 0o111) !== 0;
    return [{ from: path, to, sizeBytes: found.size, mode: isProgram ? 0o755 : 0o644 }];
  }
  const names = (await readdir(path)).filter((name) => name !== 'node_modules').sort();
  return (await Promise.all(names.map((name) => filesOf(join(path, name), join(to, name))))).flat();
}
