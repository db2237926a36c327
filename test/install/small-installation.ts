/** An installation of a few files in place of Percept's own, so that installing it takes no time; and what is left of it on a disk. */
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pathsBelow } from '../../src/install/disk.ts';
import type { InstallOptions, ModelKeeper } from '../../src/install/install.ts';
import { serviceNamed } from '../../src/install/services.ts';

export interface SmallInstallation {
  readonly source: string;
  /** Stands for Node.js; it lies where a service cannot reach it. */
  readonly node: string;
}

/** A program of two packages, of which one is needed by the other; a third is for its makers only. */
export async function smallInstallation(folder: string, version = '1.0.0'): Promise<SmallInstallation> {
  const source = join(folder, `source-${version}`);
  await write(source, {
    'package.json': json({ version, dependencies: { alpha: '1' }, devDependencies: { dev: '1' } }),
    'dist/src/main.js': `console.log(${JSON.stringify(version)});\n`,
    'dist/test/run.js': '',
    'docs/configuration.md': '# Configuration\n',
    'models/toy/model.bin': 'weights',
    'node_modules/alpha/package.json': json({ version: '1.0.0', dependencies: { beta: '1' } }),
    'node_modules/alpha/index.js': 'alpha',
    'node_modules/beta/package.json': json({
      version: '1.0.0',
      optionalDependencies: { other: '1' },
      peerDependencies: { dev: '1' },
      peerDependenciesMeta: { dev: { optional: true } },
    }),
    'node_modules/dev/package.json': json({ version: '1.0.0' }),
    'left-out/package.json': json({ version: '0.0.0' }),
    '../node': '#!/bin/sh\n',
  });
  await symlink('../left-out', join(source, 'node_modules/other'));
  return { source, node: join(folder, 'node') };
}

/** The default model is a file that the step writes. */
export const toyModels: ModelKeeper = {
  look: async (name) => ({ name, memoryBytes: 1e6, downloadBytes: 1e3, isInstalled: false }),
  item: ({ layout }) => {
    const file = layout.onDisk(`${layout.models}/toy`);
    return {
      path: 'model toy',
      look: async () => ((await lstat(file).catch(() => undefined)) ? 'same' : 'missing'),
      async apply() {
        await writeFile(file, 'weights');
        await chmod(file, 0o644);
        return undefined;
      },
    };
  },
};

export function installOptions(
  { source, node }: SmallInstallation,
  root: string,
  name: 'hailo-whisper' | 'hailo-clip' | 'percept' = 'hailo-clip',
): InstallOptions {
  return {
    service: serviceNamed(name),
    root,
    source,
    node,
    requireStartable: () => undefined,
    models: toyModels,
  };
}

/** Every path below `root` with its kind, rights, owner and content. */
export async function treeOf(root: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const absolute of (await pathsBelow(root, 100_000)).slice(1).sort()) {
    const path = relative(root, absolute);
    const entry = await lstat(absolute);
    const rights = `${(entry.mode & 0o7777).toString(8)} ${entry.uid}:${entry.gid}`;
    if (entry.isSymbolicLink()) found[path] = `-> ${await readlink(absolute)}`;
    else if (entry.isDirectory()) found[path] = `folder ${rights}`;
    else found[path] = `${rights} ${hashOf(await readFile(absolute))}`;
  }
  return found;
}

export async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text, { mode: path.endsWith('node') ? 0o755 : 0o644 });
  }
}

function hashOf(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}

function json(value: object): string {
  return JSON.stringify(value);
}
