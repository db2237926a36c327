/** What a service consists of, in the order in which it is installed. */
import { findGroup, findUser } from './accounts.ts';
import { ask, findProgram, must } from './commands.ts';
import { type Disk, lstatIfThere, type Owner } from './disk.ts';
import { directoryItem, fileItem, type Item, linkItem, type OwnerOf, type Place } from './items.ts';
import type { Layout } from './layout.ts';
import type { NodeChoice } from './node-program.ts';
import { copyProgram, type Program } from './program.ts';
import { type InstallRecord, recordText } from './record.ts';
import type { ServiceKind } from './services.ts';
import type { Settings } from './settings.ts';
import { limitsText, temporaryFilesText, unitText, usersText } from './unit.ts';

export interface Plan {
  readonly service: ServiceKind;
  readonly layout: Layout;
  readonly settings: Settings;
  readonly node: NodeChoice;
  readonly program: Program;
  readonly record: InstallRecord;
}

export interface Step {
  readonly name: 'users' | 'program' | 'data' | 'configuration' | 'model' | 'unit';
  readonly items: readonly Item[];
}

/** `model` pulls the default model, or says why it does not. */
export function stepsOf(plan: Plan, disk: Disk, model: Item): readonly Step[] {
  const place = { disk, onDisk: plan.layout.onDisk };
  const owners = ownersIn(plan.layout, plan.service.name);
  return [
    { name: 'users', items: userItems(plan, place, owners) },
    { name: 'program', items: programItems(plan, place, owners) },
    { name: 'data', items: dataItems(plan.layout, place, owners) },
    { name: 'configuration', items: configurationItems(plan, place, owners) },
    { name: 'model', items: [model] },
    { name: 'unit', items: unitItems(plan, place, owners) },
  ];
}

export interface Owners {
  readonly root: OwnerOf;
  readonly service: OwnerOf;
  /** Root's, with the group of the service. */
  readonly shared: OwnerOf;
}

/**
 * Undefined where this process is not root and gives nothing away. In an image the data stays root's: systemd gives a state directory with all
 * that is in it to its user when the service first starts, but only if the directory itself is another's.
 */
export function ownersIn({ root, isLive }: Layout, name: string): Owners {
  const ifRoot = async (owner: () => Promise<Owner | undefined>) =>
    process.geteuid?.() === 0 ? owner() : undefined;
  return {
    root: () => ifRoot(async () => ({ uid: 0, gid: 0 })),
    service: () => ifRoot(async () => (isLive ? findUser(root, name) : { uid: 0, gid: 0 })),
    shared: () =>
      ifRoot(async () => {
        const gid = await findGroup(root, name);
        return gid === undefined ? undefined : { uid: 0, gid };
      }),
  };
}

/** One way for a machine and for an image: an entry that systemd reads at boot, and here at once. */
function userItems({ service, layout }: Plan, place: Place, { root }: Owners): Item[] {
  const entry = fileItem(
    { path: layout.users, text: usersText(service, layout), mode: 0o644, owner: root, isRead: false },
    place,
  );
  return [entry, userItem({ service, layout }, place.disk)];
}

function userItem({ service: { name }, layout }: Pick<Plan, 'service' | 'layout'>, disk: Disk): Item {
  return {
    path: `user ${name}`,
    async look() {
      if (await findUser(layout.root, name)) return 'same';
      return layout.isLive ? 'missing' : { skipped: 'made at the first boot of the image' };
    },
    async apply() {
      await disk.other(`user ${name}`, () => makeUser(name, layout));
      return undefined;
    },
  };
}

async function makeUser(name: string, layout: Layout): Promise<void> {
  if (findProgram('systemd-sysusers')) return must('systemd-sysusers', [layout.users]);
  if ((await findGroup(layout.root, name)) === undefined) await must('groupadd', ['--system', name]);
  const words = ['--system', '--gid', name, '--home-dir', layout.data, '--no-create-home'];
  await must('useradd', [...words, '--shell', '/usr/sbin/nologin', name]);
}

function programItems({ layout, program, node, record }: Plan, place: Place, { root }: Owners): Item[] {
  const folder = (path: string) => directoryItem({ path, mode: 0o755, owner: root }, place);
  return [
    folder(layout.program),
    folder(layout.releases),
    releaseItem(program, layout, place),
    ...(node.copyOf === undefined
      ? []
      : [folder(`${layout.program}/bin`), nodeItem(node.copyOf, layout, place)]),
    fileItem(
      { path: layout.record, text: recordText(record), mode: 0o644, owner: root, isRead: false },
      place,
    ),
    linkItem({ path: layout.current, target: `releases/${program.release}`, isRead: true }, place),
  ];
}

function releaseItem(program: Program, layout: Layout, { disk, onDisk }: Place): Item {
  const path = `${layout.releases}/${program.release}`;
  return {
    path,
    look: async () => ((await lstatIfThere(onDisk(path))) === undefined ? 'missing' : 'same'),
    async apply() {
      await disk.fillDirectory(
        onDisk(path),
        (directory) => disk.other(`copy ${path}`, () => copyProgram(program, directory)),
        flush,
      );
      return `${program.files.length} files, ${Math.round(program.sizeBytes / 1e6)} MB`;
    },
  };
}

function nodeItem(source: string, layout: Layout, { disk, onDisk }: Place): Item {
  const target = onDisk(layout.node);
  return {
    path: layout.node,
    isRead: true,
    async look() {
      const found = await lstatIfThere(target);
      if (found === undefined) return 'missing';
      // A version of Node.js has its own size: another of the same length would be no other build.
      return found.size === (await lstatIfThere(source))?.size && found.mode % 0o1000 === 0o755
        ? 'same'
        : 'differs';
    },
    async apply() {
      await disk.copyFile(source, target, 0o755);
      return `a copy of ${source}, which the service could not reach`;
    },
  };
}

function dataItems(layout: Layout, place: Place, { service }: Owners): Item[] {
  const folder = (path: string) => directoryItem({ path, mode: 0o750, owner: service }, place);
  return [
    ...[layout.data, layout.resources, layout.models, layout.cache].map(folder),
    linkItem({ path: layout.modelsLink, target: 'resources/models' }, place),
  ];
}

function configurationItems(plan: Plan, place: Place, { root, shared }: Owners): Item[] {
  const { service, layout, settings } = plan;
  return [
    yamlItem(plan, place, root),
    fileItem({ path: layout.json, text: settings.json, mode: 0o640, owner: shared }, place),
    fileItem(
      {
        path: layout.temporaryFiles,
        text: temporaryFilesText(service, layout),
        mode: 0o644,
        owner: root,
        isRead: false,
      },
      place,
    ),
  ];
}

/** May hold keys, and is nobody's business but root's: the service reads what is made of it. */
function yamlItem({ layout, settings }: Plan, place: Place, owner: OwnerOf): Item {
  const file = fileItem({ path: layout.yaml, text: settings.yaml, mode: 0o640, owner, isRead: false }, place);
  if (!settings.isEdited) return file;
  const path = place.onDisk(layout.yaml);
  return {
    ...file,
    async look() {
      const isOpen = (((await lstatIfThere(path))?.mode ?? 0) & 0o007) !== 0;
      return settings.hasSecrets && isOpen ? 'differs' : { skipped: 'edited: kept as it is' };
    },
    async apply() {
      await place.disk.closeFile(path);
      return 'it holds keys: closed to other users; its text is kept';
    },
  };
}

function unitItems(
  { service, layout, settings, node, record }: Plan,
  place: Place,
  { root }: Owners,
): Item[] {
  const { config } = settings;
  const unit = unitText({ service, layout, config, node: node.path, deviceGroups: record.deviceGroups });
  const file = (path: string, text: string | undefined) =>
    fileItem({ path, text, mode: 0o644, owner: root }, place);
  // The service is enabled by the last of all: a machine that stops before comes up as if nothing were installed.
  return [
    file(layout.limits, limitsText(config, service.name)),
    file(layout.unit, unit),
    linkItem({ path: layout.enabled, target: `../${service.name}.service` }, place),
  ];
}

/** Forces a tree of any number of files to disk by one call. */
async function flush(directory: string): Promise<void> {
  const { code } = await ask('sync', ['--file-system', directory]);
  if (code !== 0) await must('sync', []);
}
