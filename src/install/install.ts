/** Installs Percept as a service of the system: every step looks first, so that a second run changes nothing and a cut one is completed. */
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { AppError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import { type BeforeChange, Disk, lstatIfThere } from './disk.ts';
import type { Finding } from './findings.ts';
import { type Item, REMOVED } from './items.ts';
import { type Layout, layoutOf } from './layout.ts';
import { chooseNode } from './node-program.ts';
import { hailoGroups, type ModelFacts, preflight } from './preflight.ts';
import { readProgram } from './program.ts';
import { readRecord } from './record.ts';
import type { ServiceKind } from './services.ts';
import { hashOf, readSettings, type Settings } from './settings.ts';
import { ownersIn, type Plan, type Step, stepsOf } from './steps.ts';

export interface InstallOptions {
  readonly service: ServiceKind;
  /** A tree in place of this machine. */
  readonly root?: string | undefined;
  /** The installation that is copied: the folder of its package.json. */
  readonly source: string;
  /** Node.js that the service is to run on; that of this process unless given. */
  readonly node?: string;
  /** Throws `invalid_config` for what the service would refuse to start with. */
  requireStartable(config: Config): void;
  readonly models: ModelKeeper;
  /** Changes nothing. */
  readonly isDryRun?: boolean;
  /** Called with each thing as it is done. */
  readonly onOutcome?: ((outcome: Outcome) => void) | undefined;
  readonly onFinding?: ((finding: Finding) => void) | undefined;
  readonly beforeChange?: BeforeChange;
}

/** The store's side of an installation, which this room does not know. */
export interface ModelKeeper {
  /** Of the service's default model, as the store in `home` has it. Throws `model_not_found`. */
  look(name: string, config: Config, home: string): Promise<ModelFacts>;
  /** The item of the step `model`. */
  item(plan: Plan, model: ModelFacts, report: (finding: Finding) => void): Item;
}

export interface Outcome {
  readonly step: Step['name'];
  readonly change: 'made' | 'changed' | 'kept' | 'skipped' | 'removed';
  readonly path: string;
  readonly remark: string;
}

export interface Installed {
  readonly layout: Layout;
  readonly settings: Settings;
  readonly plan: Plan;
  readonly model: ModelFacts;
  /** A running service reads what it has not read yet. */
  readonly mustRestart: boolean;
  /** Everything was found as it should be. */
  readonly isUnchanged: boolean;
}

/**
 * Throws `invalid_config` for a configuration that cannot be used, and `not_runnable` with all that speaks against it, both before
 * anything is changed; and whatever keeps a step from being done, which the next run goes on with.
 */
export async function install(options: InstallOptions): Promise<Installed> {
  const { service, root, onFinding = () => undefined } = options;
  const layout = layoutOf(service.name, root);
  const { plan, model } = await makePlan(options, layout);
  const findings = await preflight({
    service,
    layout,
    config: plan.settings.config,
    model,
    programBytes: await missingBytes(plan),
  });
  for (const finding of findings) onFinding(finding);
  requirePassed(findings);
  const disk = new Disk(options.beforeChange);
  const steps = stepsOf(plan, disk, options.models.item(plan, model, onFinding));
  if (options.isDryRun) {
    const outcomes = await lookAtAll(steps, options);
    return {
      layout,
      settings: plan.settings,
      plan,
      model,
      mustRestart: false,
      isUnchanged: isAllKept(outcomes),
    };
  }
  return withLock(layout, service, async () => {
    const mark = restartMark(layout, disk);
    const outcomes = await applyAll(steps, { ...options, beforeRead: mark.set });
    return {
      layout,
      settings: plan.settings,
      plan,
      model,
      mustRestart: await mark.isSet(),
      isUnchanged: isAllKept(outcomes),
    };
  });
}

/** What comes after a restart, or where nothing runs: the mark and releases that nobody uses any more go. */
export async function finish({ layout, plan }: Installed, beforeChange?: BeforeChange): Promise<void> {
  const disk = new Disk(beforeChange);
  const releases = layout.onDisk(layout.releases);
  for (const name of await readdir(releases)) {
    if (name !== plan.program.release) await disk.remove(join(releases, name));
  }
  if (plan.node.copyOf === undefined) await disk.remove(layout.onDisk(`${layout.program}/bin`));
  await restartMark(layout, disk).clear();
}

async function makePlan(
  { service, source, node: running, requireStartable, models }: InstallOptions,
  layout: Layout,
): Promise<{ plan: Plan; model: ModelFacts }> {
  const known = await readRecord(layout);
  const settings = await readSettings(service, { layout, templates: known?.templates ?? [] });
  requireStartable(settings.config);
  const node = await chooseNode(layout, running);
  const templates = [...(known?.templates ?? []), ...(settings.isEdited ? [] : [hashOf(settings.yaml)])];
  const record = {
    templates: [...new Set(templates)],
    node: node.path,
    deviceGroups: [...(await hailoGroups(layout))],
  };
  const program = await readProgram(source);
  const name = service.defaultModel(settings.config);
  const model = await models.look(name, settings.config, layout.onDisk(layout.data));
  return { plan: { service, layout, settings, node, program, record }, model };
}

async function missingBytes({ layout, program }: Plan): Promise<number> {
  const release = layout.onDisk(`${layout.releases}/${program.release}`);
  return (await lstatIfThere(release)) === undefined ? program.sizeBytes : 0;
}

function requirePassed(findings: readonly Finding[]): void {
  const failed = findings.filter(({ state }) => state === 'fail');
  if (failed.length === 0) return;
  const lines = failed.map(({ message, remedy }) => `${message} ${remedy}`);
  throw new AppError('not_runnable', `Nothing was installed. ${lines.join('\n')}`);
}

async function lookAtAll(steps: readonly Step[], { onOutcome }: InstallOptions): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const { name: step, items } of steps) {
    for (const item of items) {
      const outcome = { step, path: item.path, ...describe(await item.look()) };
      onOutcome?.(outcome);
      outcomes.push(outcome);
    }
  }
  return outcomes;
}

async function applyAll(
  steps: readonly Step[],
  { onOutcome, beforeRead }: InstallOptions & { readonly beforeRead: () => Promise<void> },
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const { name: step, items } of steps) {
    for (const item of items) {
      const found = describe(await item.look());
      let outcome: Outcome = { step, path: item.path, ...found };
      if (found.change === 'made' || found.change === 'changed') {
        if (item.isRead) await beforeRead();
        outcome = { ...outcome, ...described(await item.apply()) };
      }
      onOutcome?.(outcome);
      outcomes.push(outcome);
    }
  }
  return outcomes;
}

function describe(found: Awaited<ReturnType<Item['look']>>): Pick<Outcome, 'change' | 'remark'> {
  if (typeof found === 'object') return { change: 'skipped', remark: found.skipped };
  const change = { missing: 'made', differs: 'changed', same: 'kept' } as const;
  return { change: change[found], remark: '' };
}

function described(done: Awaited<ReturnType<Item['apply']>>): Partial<Outcome> {
  if (typeof done === 'object') return { change: 'skipped', remark: done.skipped };
  return done === REMOVED ? { change: 'removed' } : { remark: done ?? '' };
}

function isAllKept(outcomes: readonly Outcome[]): boolean {
  return outcomes.every(({ change }) => change === 'kept' || change === 'skipped');
}

/** A restart that was due when an earlier run was killed is still due. */
function restartMark(layout: Layout, disk: Disk) {
  const path = layout.onDisk(layout.restartMark);
  const isSet = async () => (await lstatIfThere(path)) !== undefined;
  return {
    isSet,
    async set() {
      if (await isSet()) return;
      const owner = await ownersIn(layout, '').root();
      await disk.writeFile(path, 'The next "percept install" restarts the service.\n', {
        mode: 0o644,
        owner,
      });
    },
    clear: () => disk.remove(path),
  };
}

/** One installation at a time. The name of the socket is in no file system, and goes with the process that holds it. */
async function withLock<T>(layout: Layout, { name }: ServiceKind, work: () => Promise<T>): Promise<T> {
  const lock = createServer();
  await new Promise<void>((resolve, reject) => {
    lock.once('error', (cause) =>
      reject(
        new AppError('not_runnable', `Another installation of ${name} is under way. Wait until it is done.`, {
          cause,
        }),
      ),
    );
    lock.listen(`\0percept-install:${layout.root}:${name}`, resolve);
  });
  try {
    return await work();
  } finally {
    lock.close();
  }
}
