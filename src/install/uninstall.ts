/** Takes a service away again, in the opposite order of its installation; whatever of it is there, also after one that was cut. */
import { existsSync } from 'node:fs';
import { AppError } from '../base/errors.ts';
import { findGroup, findUser } from './accounts.ts';
import { ask, isSystemdRunning, must } from './commands.ts';
import { type BeforeChange, Disk } from './disk.ts';
import { type Layout, layoutOf } from './layout.ts';
import type { ServiceKind } from './services.ts';
import { isYamlEdited } from './settings.ts';

export interface UninstallOptions {
  readonly service: ServiceKind;
  readonly root?: string | undefined;
  /** Data, an edited configuration, operators' drop-ins and the user go, too. */
  readonly purge: boolean;
  readonly onRemoval?: ((removal: Removal) => void) | undefined;
  readonly beforeChange?: BeforeChange;
}

export interface Removal {
  readonly change: 'removed' | 'kept';
  readonly path: string;
  readonly remark: string;
}

/** Things that are not there are not told of. Throws `not_runnable` if this process may not do it. */
export async function uninstall(options: UninstallOptions): Promise<readonly Removal[]> {
  const { service, root, purge, onRemoval } = options;
  const layout = layoutOf(service.name, root);
  requireRights(layout, service);
  const disk = new Disk(options.beforeChange);
  const removals: Removal[] = [];
  const tell = (removal: Removal) => {
    removals.push(removal);
    onRemoval?.(removal);
  };
  const remove = async (path: string) => {
    if (await disk.remove(layout.onDisk(path))) tell({ change: 'removed', path, remark: '' });
  };
  const keep = (path: string, remark: string) => {
    if (existsSync(layout.onDisk(path))) tell({ change: 'kept', path, remark });
  };
  const isEdited = await isYamlEdited(service, layout);
  if (isManaged(layout)) await stop(service, layout);

  await remove(layout.enabled);
  await remove(layout.unit);
  await remove(layout.limits);
  if (purge) await remove(layout.dropInFolder);
  else await disk.removeIfEmpty(layout.onDisk(layout.dropInFolder));
  keep(layout.dropInFolder, 'it holds drop-ins of your own');
  if (isManaged(layout)) await must('systemctl', ['daemon-reload']);

  await remove(layout.temporaryFiles);
  await remove(layout.json);
  await disk.removeIfEmpty(layout.onDisk(layout.jsonFolder));
  if (purge || !isEdited) await remove(layout.yaml);
  else keep(layout.yaml, 'edited; --purge removes it');
  await disk.removeIfEmpty(layout.onDisk('/etc/hailo'));

  if (purge) await remove(layout.data);
  else keep(layout.data, '--purge removes it, and the user');
  await remove(layout.program);
  await remove(layout.users);
  if (purge && (await removeUser(service, { layout, disk })))
    tell({ change: 'removed', path: `user ${service.name}`, remark: '' });
  return removals;
}

function requireRights(layout: Layout, { name }: ServiceKind): void {
  if (!layout.isLive || process.geteuid?.() === 0) return;
  throw new AppError(
    'not_runnable',
    `Only root can remove the service ${name}. Run it with sudo, or name a directory tree with --root DIR.`,
  );
}

function isManaged({ isLive }: Layout): boolean {
  return isLive && isSystemdRunning();
}

/** Of a unit that is not there, or not whole, systemd knows nothing, and nothing of it runs. */
async function stop({ name }: ServiceKind, layout: Layout): Promise<void> {
  if (existsSync(layout.unit)) await must('systemctl', ['disable', '--now', `${name}.service`]);
  await ask('systemctl', ['reset-failed', `${name}.service`]);
}

/** The group goes with its user, but where the system is set up otherwise. */
async function removeUser(
  { name }: ServiceKind,
  { layout, disk }: { readonly layout: Layout; readonly disk: Disk },
): Promise<boolean> {
  if (!layout.isLive) return false;
  const user = await findUser(layout.root, name);
  if (user) await disk.other(`user ${name}`, () => must('userdel', [name]));
  const group = await findGroup(layout.root, name);
  if (group !== undefined) await disk.other(`group ${name}`, () => must('groupdel', [name]));
  return user !== undefined || group !== undefined;
}
