/** What of a service lies where. Paths are those of the installed system; `onDisk` puts the root of an image before them. */
import { join, resolve } from 'node:path';
import type { ServiceName } from './services.ts';

export interface Layout {
  /** `/`, or the tree that is installed into. */
  readonly root: string;
  /** Whether this is the machine that runs the service, and not an image of another. */
  readonly isLive: boolean;
  /** The program, root's: releases, and a link to the one that is used. */
  readonly program: string;
  readonly releases: string;
  readonly current: string;
  /** A copy of Node.js, where the machine's own is out of the service's reach. */
  readonly node: string;
  /** What the installer must know again: see `record.ts`. */
  readonly record: string;
  /** Stands from the first change to the restart after the last, so that a restart is never forgotten. */
  readonly restartMark: string;
  /** The user's: data directory of the store, with its models below `resources`. */
  readonly data: string;
  readonly resources: string;
  readonly models: string;
  readonly cache: string;
  /** The store looks for models here: a link to `models`. */
  readonly modelsLink: string;
  /** What the operator edits. */
  readonly yaml: string;
  /** What the service reads. */
  readonly jsonFolder: string;
  readonly json: string;
  readonly users: string;
  readonly temporaryFiles: string;
  readonly unit: string;
  readonly dropInFolder: string;
  readonly limits: string;
  /** Where systemd finds what to start at boot. */
  readonly enabled: string;
  /** A path of the installed system as this process reaches it. */
  onDisk(path: string): string;
}

export function layoutOf(name: ServiceName, root: string | undefined): Layout {
  const place = root === undefined ? '/' : resolve(root);
  const program = `/opt/${name}`;
  const data = `/var/lib/${name}`;
  const units = '/etc/systemd/system';
  return {
    root: place,
    isLive: place === '/',
    program,
    releases: `${program}/releases`,
    current: `${program}/current`,
    node: `${program}/bin/node`,
    record: `${program}/installed.json`,
    restartMark: `${program}/restart-needed`,
    data,
    resources: `${data}/resources`,
    models: `${data}/resources/models`,
    cache: `${data}/cache`,
    modelsLink: `${data}/models`,
    yaml: `/etc/hailo/${name}.yaml`,
    jsonFolder: `/etc/xdg/${name}`,
    json: `/etc/xdg/${name}/${name}.json`,
    users: `/etc/sysusers.d/${name}.conf`,
    temporaryFiles: `/etc/tmpfiles.d/${name}.conf`,
    unit: `${units}/${name}.service`,
    dropInFolder: `${units}/${name}.service.d`,
    limits: `${units}/${name}.service.d/10-limits.conf`,
    enabled: `${units}/multi-user.target.wants/${name}.service`,
    onDisk: (path) => join(place, path),
  };
}
