/** What lies on the disk of a service, against what an installation would have written. */
import { access, constants, readlink } from 'node:fs/promises';
import { findGroup, findUser } from './accounts.ts';
import { ask, isSystemdRunning } from './commands.ts';
import { lstatIfThere, pathsBelow } from './disk.ts';
import { type Finding, fail, fine, warn } from './findings.ts';
import { hailoGroups } from './preflight.ts';
import { readText } from './settings.ts';
import { limitsText, unitText } from './unit.ts';
import type { Rule, Verified } from './verified.ts';

/** More files than that are not looked at one by one: recordings of a busy service. */
const MAX_FILES = 50_000;

export const FILE_CHECKS: Readonly<Record<string, Rule>> = {
  configuration: checkYaml,
  rendered: checkJson,
  secrets: checkSecrets,
  user: checkUser,
  program: checkProgram,
  data: checkData,
  unit: checkUnit,
  limits: checkLimits,
  systemd: checkSystemd,
  model: checkModel,
};

async function checkYaml({ layout, settingsError, service: { name } }: Verified): Promise<Finding[]> {
  if (settingsError) return [fail('config-broken', settingsError.message, name)];
  await access(layout.onDisk(layout.yaml), constants.R_OK).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if ((await lstatIfThere(layout.onDisk(layout.yaml))) === undefined)
    return [fail('config-missing', `${layout.yaml} is not there.`, name)];
  return [fine(`${layout.yaml} is valid`)];
}

async function checkJson({ layout, settings, service: { name } }: Verified): Promise<Finding[]> {
  const text = await readText(layout.onDisk(layout.json));
  if (text === undefined) return [fail('json-missing', `${layout.json} is not there.`, name)];
  const found = (await lstatIfThere(layout.onDisk(layout.json)))!;
  const group = await findGroup(layout.root, name);
  const mayRead = (found.mode & 0o004) !== 0 || ((found.mode & 0o040) !== 0 && found.gid === group);
  if (layout.isLive && !mayRead)
    return [fail('json-unreadable', `The user ${name} may not read ${layout.json}.`, name)];
  if (settings && settings.json !== text)
    return [fail('json-outdated', `${layout.json} does not say what ${layout.yaml} says.`, name)];
  return [fine(`${layout.json} says what ${layout.yaml} says`)];
}

async function checkSecrets({ layout, settings, config, service: { name } }: Verified): Promise<Finding[]> {
  const hasSecrets = settings?.hasSecrets ?? config.server.apiKeys.length > 0;
  if (!hasSecrets) return [];
  const found: Finding[] = [];
  for (const path of [layout.yaml, layout.json]) {
    const file = await lstatIfThere(layout.onDisk(path));
    if (file && (file.mode & 0o007) !== 0) {
      const open = fail('secrets-readable', `${path} holds keys, and every user may read it.`, name);
      found.push({ ...open, remedy: open.remedy.replace('FILE', path) });
    }
  }
  return found.length > 0 ? found : [fine('keys are readable by root and the service alone')];
}

async function checkUser({ layout, service: { name } }: Verified): Promise<Finding[]> {
  if (!layout.isLive) return [];
  const user = await findUser(layout.root, name);
  if (user === undefined || (await findGroup(layout.root, name)) === undefined)
    return [fail('user-missing', `There is no user, or no group, ${name}.`, name)];
  return [fine(`${name} (${user.uid})`)];
}

/** On this machine the program is started as its user, who may lack a right that root has. */
async function checkProgram({ layout, record, service: { name } }: Verified): Promise<Finding[]> {
  const main = `${layout.current}/dist/src/main.js`;
  if (record === undefined || (await lstatIfThere(layout.onDisk(main))) === undefined)
    return [fail('program-missing', `${main} is not there, or ${layout.record} cannot be read.`, name)];
  const release = await readlink(layout.onDisk(layout.current));
  const user = await findUser(layout.root, name);
  if (!layout.isLive || user === undefined || process.geteuid?.() !== 0) return [fine(release)];
  const { code, output } = await ask(record.node, [main, '--version'], user);
  if (code === 0) return [fine(`${release}, on ${record.node}`)];
  return [fail('program-missing', `${record.node} ${main} does not start as ${name}: ${output}`, name)];
}

async function checkData({ layout, service: { name } }: Verified): Promise<Finding[]> {
  for (const path of [layout.data, layout.models, layout.cache]) {
    const folder = await lstatIfThere(layout.onDisk(path));
    if (!folder?.isDirectory()) return [fail('data-missing', `${path} is not there.`, name)];
  }
  const top = (await lstatIfThere(layout.onDisk(layout.data)))!;
  if ((top.mode & 0o007) !== 0) return [fail('data-open', `Every user may look into ${layout.data}.`, name)];
  const user = await findUser(layout.root, name);
  if (!layout.isLive || user === undefined) return [fine(layout.data)];
  const stranger = await firstOfOthers(layout.data, user.uid);
  if (stranger !== undefined)
    return [fail('data-owner', `${stranger} does not belong to ${name}, which cannot change it.`, name)];
  return [fine(`${layout.data} belongs to ${name}`)];
}

/** The first path that is another user's. Links are left out: the one to the models is root's. */
async function firstOfOthers(folder: string, uid: number): Promise<string | undefined> {
  for (const path of await pathsBelow(folder, MAX_FILES)) {
    const found = await lstatIfThere(path);
    if (found && !found.isSymbolicLink() && found.uid !== uid) return path;
  }
  return undefined;
}

async function checkUnit({ service, layout, settings, record }: Verified): Promise<Finding[]> {
  const text = await readText(layout.onDisk(layout.unit));
  if (text === undefined) return [fail('unit-missing', `${layout.unit} is not there.`, service.name)];
  // Without what it is made of it cannot be told; that is told of above.
  if (!settings || !record) return [];
  const { node, deviceGroups } = record;
  if (text !== unitText({ service, layout, config: settings.config, node, deviceGroups }))
    return [fail('unit-edited', `${layout.unit} is not as an installation writes it.`, service.name)];
  const groups = await hailoGroups(layout);
  if (groups.join() !== deviceGroups.join()) {
    const lists = `${groups.join(', ') || 'none'}; the unit has ${deviceGroups.join(', ') || 'none'}`;
    return [warn('device-groups', `The groups of /dev/hailo* are ${lists}.`, service.name)];
  }
  return [fine(layout.unit)];
}

async function checkLimits({ service: { name }, layout, settings }: Verified): Promise<Finding[]> {
  if (!settings) return [];
  const text = await readText(layout.onDisk(layout.limits));
  const wanted = limitsText(settings.config, name);
  if (text !== wanted)
    return [
      fail('limits-differ', `${layout.limits} does not say what service.* of ${layout.yaml} says.`, name),
    ];
  return wanted === undefined ? [] : [fine(layout.limits)];
}

async function checkSystemd({ layout, service: { name } }: Verified): Promise<Finding[]> {
  const isEnabled = (await lstatIfThere(layout.onDisk(layout.enabled))) !== undefined;
  const found: Finding[] = isEnabled
    ? []
    : [warn('not-enabled', `${name} is not started with the machine.`, name)];
  if (!layout.isLive) return found;
  if (!isSystemdRunning())
    return [
      ...found,
      warn('no-systemd', 'systemd does not run this machine, so it does not look after the service.', name),
    ];
  const { code, output } = await ask('systemctl', ['is-active', `${name}.service`]);
  if (code === 0) return [...found, fine('active')];
  return [...found, fail('not-active', `${name}.service is ${output || 'not active'}.`, name)];
}

async function checkModel({ layout, service, model: checked }: Verified): Promise<Finding[]> {
  const home = layout.onDisk(layout.data);
  // A folder that may not be read looks like an empty one.
  await access(home, constants.R_OK | constants.X_OK).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  const model = await checked();
  switch (model.state) {
    case 'missing':
      return [fail('model-missing', model.message, service.name)];
    case 'damaged':
      return [fail('model-damaged', model.message, service.name)];
    case 'whole':
      return [fine(model.message)];
    default:
      return model.state satisfies never;
  }
}
