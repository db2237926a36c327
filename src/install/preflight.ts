/** What speaks against an installation, before anything is changed. */
import { existsSync } from 'node:fs';
import { readdir, stat, statfs } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { findUser, groupName, LAST_SYSTEM_ID } from './accounts.ts';
import { ask, findProgram, isSystemdRunning } from './commands.ts';
import { type Finding, fail, warn } from './findings.ts';
import type { Layout } from './layout.ts';
import { listenersOn } from './listeners.ts';
import { isHidden } from './node-program.ts';
import type { ServiceKind } from './services.ts';

/** What the store knows of the default model. */
export interface ModelFacts {
  readonly name: string;
  readonly memoryBytes: number;
  readonly downloadBytes: number;
  readonly isInstalled: boolean;
}

export interface PreflightFacts {
  readonly service: ServiceKind;
  readonly layout: Layout;
  readonly config: Config;
  readonly model: ModelFacts;
  /** What the program still needs on the disk; 0 where it lies there already. */
  readonly programBytes: number;
}

/** The server beside its model: V8, buffers, uploads on their way. */
const SERVER_BYTES = 300e6;
/** Where packages put HailoRT; Percept looks there, too. */
const LIBRARY_FOLDERS = [
  '/usr/lib',
  '/usr/local/lib',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
];
const DEVICES = '/dev';

/** Only what is not as it should be. An image is not the machine that it will run on: only the disk is looked at. */
export async function preflight(facts: PreflightFacts): Promise<readonly Finding[]> {
  const { layout, service } = facts;
  const rules = layout.isLive
    ? [checkRoot, checkUser, checkSystemd, checkHailo, checkPort, checkMemory, checkPaths, checkDisk]
    : [checkOwner, checkPaths, checkDisk];
  const early = [...checkPlatform(service), ...checkNode(service)];
  const found = await Promise.all(rules.map((rule) => rule(facts)));
  return [...early, ...found.flat()];
}

type Rule = (facts: PreflightFacts) => Finding[] | Promise<Finding[]>;

function checkPlatform({ name }: ServiceKind): Finding[] {
  if (process.platform === 'linux') return [];
  return [fail('not-linux', `Services are installed on Linux; this is ${process.platform}.`, name)];
}

function checkNode({ name }: ServiceKind): Finding[] {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return [];
  return [fail('node-too-old', `Node.js is ${process.versions.node}; expected 20.19 or newer.`, name)];
}

const checkRoot: Rule = ({ service }) => {
  if (process.geteuid?.() === 0) return [];
  return [
    fail('not-root', `Only root can install ${service.name} as a service of the system.`, service.name),
  ];
};

const checkOwner: Rule = ({ layout, service: { name } }) => {
  const uid = process.geteuid?.();
  if (uid === 0) return [];
  return [
    warn('image-owner', `The files in ${layout.root} will belong to the user ${uid}, not to root.`, name),
  ];
};

const checkUser: Rule = async ({ layout, service: { name } }) => {
  const user = await findUser(layout.root, name);
  if (user === undefined || user.uid <= LAST_SYSTEM_ID) return [];
  return [
    fail(
      'user-taken',
      `The user ${name} is there already, with the id ${user.uid}, as people have them.`,
      name,
    ),
  ];
};

const checkSystemd: Rule = ({ service: { name } }) => {
  if (isSystemdRunning()) return [];
  return [
    warn(
      'no-systemd',
      'systemd does not run this machine: everything is installed, and nothing started.',
      name,
    ),
  ];
};

const checkHailo: Rule = async ({ service, config }) => {
  if (!service.usesHailo) return [];
  const { name } = service;
  const found: Finding[] = [];
  const devices = await hailoDevices();
  if (devices.length === 0) {
    const model = service.defaultModel(config);
    found.push(
      warn(
        'no-hailo-device',
        `There is no /dev/hailo*: ${model}, and whatever else is asked for, runs on the CPU.`,
        name,
      ),
    );
  }
  const cli = findProgram('hailortcli');
  if (cli === undefined)
    found.push(
      warn('no-hailortcli', 'hailortcli is not installed, so the device cannot be looked at.', name),
    );
  else if (devices.length > 0) found.push(...(await askDevice(cli, name)));
  if (!(await hasLibrary(config.hailo.library))) {
    const place = config.hailo.library === 'auto' ? 'in the system’s libraries' : config.hailo.library;
    found.push(
      warn('no-libhailort', `libhailort is not there (${place}): models of the device cannot be used.`, name),
    );
  }
  return found;
};

/** A service of ours that has the device now is no reason to warn, and cannot be told from another program's: the remedy names both. */
async function askDevice(cli: string, name: string): Promise<Finding[]> {
  const { code, output } = await ask(cli, ['fw-control', 'identify']);
  if (code === 0) return [];
  const said = output.split('\n').at(-1) || `exit code ${code ?? 'none'}`;
  return [
    warn(
      'hailo-silent',
      `The Hailo device does not say what it is (hailortcli fw-control identify): ${said}.`,
      name,
    ),
  ];
}

const checkPort: Rule = async ({ layout, config: { server }, service: { name } }) => {
  if (server.port === 0)
    return [fail('port-zero', 'server.port is 0, which is another port at each start.', name)];
  const others = await otherListeners(server.port, { layout, name });
  if (others.length === 0) return [];
  return [
    warn(
      'port-in-use',
      `Port ${server.port} is taken by a program of ${others.join(', ')}: the service cannot start.`,
      name,
    ),
  ];
};

const checkMemory: Rule = async ({ layout, config, model, service: { name } }) => {
  const needed = model.memoryBytes + SERVER_BYTES;
  const limit = config.service.memoryMaxBytes;
  const found: Finding[] = [];
  if (limit !== null && limit < needed)
    found.push(
      warn(
        'limit-low',
        `service.memory_max_bytes is ${inGb(limit)}, and ${model.name} needs about ${inGb(needed)}.`,
        name,
      ),
    );
  // What the service itself holds now is free for the one that replaces it.
  const user = await findUser(layout.root, name);
  const isUp = user !== undefined && (await listenersOn(config.server.port)).includes(user.uid);
  const available = isUp ? totalmem() : freemem();
  if (available < needed)
    found.push(
      warn(
        'low-memory',
        `${inGb(available)} of memory are free, and ${model.name} needs about ${inGb(needed)}.`,
        name,
      ),
    );
  return found;
};

const checkPaths: Rule = ({ config, service: { name } }) => {
  const { tasks, pipeline, language, hailo, audio } = config;
  const paths = {
    'tasks.directory': tasks.directory,
    'pipeline.templates_directory': pipeline.templatesDirectory,
    'hailo.library': hailo.library,
    'audio.ffmpeg': audio.ffmpeg,
    ...Object.fromEntries(
      Object.entries(language.templateFile).map(([model, path]) => [`language.template_file.${model}`, path]),
    ),
  };
  return Object.entries(paths)
    .filter(([, path]) => isHidden(path))
    .map(([key, path]) => warn('path-hidden', `${key} is ${path}, which the service cannot see.`, name));
};

const checkDisk: Rule = async ({ layout, model, programBytes, service: { name } }) => {
  const program = layout.onDisk(layout.program);
  const data = layout.onDisk(layout.data);
  const found: Finding[] = [];
  const freeForProgram = await freeBytes(program);
  if (freeForProgram < programBytes)
    found.push(
      fail(
        'disk-full',
        `${inGb(freeForProgram)} are free for ${program}; the program needs ${inGb(programBytes)}.`,
        name,
      ),
    );
  // While it is installed a model may lie there twice, and what is converted from it takes half of it again.
  const wanted = model.isInstalled ? 0 : 2.5 * model.downloadBytes;
  const freeForData = await freeBytes(data);
  if (freeForData < wanted)
    found.push(
      warn(
        'disk-low',
        `${inGb(freeForData)} are free for ${data}; ${model.name} may need ${inGb(wanted)}.`,
        name,
      ),
    );
  return found;
};

/** Users, by name where there is one, whose programs have the port; not the service's own. */
export async function otherListeners(
  port: number,
  { layout, name }: { readonly layout: Layout; readonly name: string },
): Promise<readonly string[]> {
  const own = await findUser(layout.root, name);
  const others = (await listenersOn(port)).filter((uid) => uid !== own?.uid);
  return others.map((uid) => `user ${uid}`);
}

/** Groups that a device can be used by, but for root's; sorted. */
export async function hailoGroups(layout: Layout): Promise<readonly string[]> {
  if (!layout.isLive) return [];
  const ids = await Promise.all((await hailoDevices()).map(async (path) => (await stat(path)).gid));
  const names = await Promise.all(ids.filter((gid) => gid !== 0).map((gid) => groupName(layout.root, gid)));
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

async function hailoDevices(): Promise<string[]> {
  const names = await readdir(DEVICES).catch(() => []);
  return names.filter((name) => /^hailo\d+$/.test(name)).map((name) => join(DEVICES, name));
}

async function hasLibrary(library: string): Promise<boolean> {
  if (library !== 'auto') return existsSync(library);
  const names = await Promise.all(LIBRARY_FOLDERS.map((folder) => readdir(folder).catch(() => [])));
  return names.flat().some((name) => /^libhailort\.so/.test(name));
}

/** Of the file system that the path is on, or will be. */
async function freeBytes(path: string): Promise<number> {
  if (!existsSync(path)) return freeBytes(dirname(path));
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

function inGb(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
