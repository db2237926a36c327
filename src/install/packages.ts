/** The packages that the program needs when it runs, found as Node.js finds them: no lock file, and no package manager, is needed for it. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { AppError } from '../base/errors.ts';

export interface PackageFolder {
  readonly from: string;
  /** Inside the installation: below `node_modules`. */
  readonly to: string;
}

interface Needs {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

const MODULES = 'node_modules';

/**
 * Of the program in `source`, in the order of their paths. An optional package, or a peer that nobody installed, may be missing: those for
 * other platforms are. Throws `not_runnable` for any other.
 */
export async function productionPackages(source: string): Promise<readonly PackageFolder[]> {
  const found = new Map<string, PackageFolder>();
  const waiting = [{ folder: source, to: '' }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const needs = JSON.parse(await readFile(join(next.folder, 'package.json'), 'utf8')) as Needs;
    const optional = { ...needs.optionalDependencies, ...needs.peerDependencies };
    for (const name of Object.keys({ ...needs.dependencies, ...optional })) {
      if (needs.peerDependenciesMeta?.[name]?.optional) continue;
      const folder = await resolvePackage(name, next.folder);
      if (folder === undefined) {
        if (Object.hasOwn(optional, name)) continue;
        throw new AppError(
          'not_runnable',
          `The package ${name}, which ${next.to || 'Percept'} needs, is not installed in ${source}. Run \`npm ci\` there first.`,
        );
      }
      const to = placeOf(folder, source);
      const known = found.get(to);
      if (known !== undefined && known.from !== folder) {
        throw new AppError(
          'not_runnable',
          `Both ${known.from} and ${folder} would become ${to}. Install Percept in a folder of its own (\`npm ci\` in a clone, or npm install --global), and run it from there.`,
        );
      }
      if (known !== undefined) continue;
      found.set(to, { from: folder, to });
      waiting.push({ folder, to });
    }
  }
  return [...found.values()].sort((a, b) => (a.to < b.to ? -1 : 1));
}

/** The nearest in the folders above, by path: links are not resolved, as what lies behind them belongs here. */
async function resolvePackage(name: string, from: string): Promise<string | undefined> {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, MODULES, name);
    if (await stat(join(candidate, 'package.json')).catch(() => undefined)) return candidate;
    if (dirname(folder) === folder) return undefined;
  }
}

/** As it lies below the program; one beside the program, where a package manager put it in a flat folder, comes below it. */
function placeOf(folder: string, source: string): string {
  const inside = relative(source, folder);
  if (!inside.startsWith('..')) return inside;
  return folder.slice(folder.indexOf(`/${MODULES}/`) + 1);
}
