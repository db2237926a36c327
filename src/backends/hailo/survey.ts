/** What there is of Hailo on this machine, and what does not fit together: for those who ask why a device does not work. */
import { fork } from 'node:child_process';
import { access, constants, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WireError } from '../../base/errors.ts';
import { deviceChipName, isForCppOnly, majorVersionFor, needsBridge } from './chips.ts';
import { type DeviceIdentity, type HailoVersion, versionText } from './layouts.ts';

export interface DeviceNode {
  readonly path: string;
  /** Whether this user may read and write it. */
  readonly isUsable: boolean;
}

export interface HailoSurvey {
  readonly nodes: readonly DeviceNode[];
  /** The kernel's, if it is loaded. */
  readonly driver: { readonly module: string; readonly version: string } | undefined;
  readonly library: LibraryReport;
}

/** What the process that loads the library says. */
export interface LibraryReport {
  /** False where none was found in the usual places. */
  readonly isInstalled: boolean;
  readonly path: string;
  readonly version?: HailoVersion;
  readonly devices: readonly DeviceIdentity[];
  /** How many devices the library sees; those that could be asked are in `devices`. */
  readonly found: number;
  /** Why it was not loaded, or why a device did not answer. */
  readonly problem?: WireError;
  /** To a Hailo-10H: the first that lies where it was looked for, and why it was not loaded. */
  readonly bridge?: { readonly path: string; readonly problem?: WireError };
}

export interface LibraryOptions {
  /** Path of libhailort, or `auto`. */
  readonly library: string;
  /** Where the bridge to a Hailo-10H may lie. */
  readonly bridges: readonly string[];
  /** Of the process that loads the library. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
}

export interface SurveyOptions extends LibraryOptions {
  /** Where the system keeps its devices and modules. */
  readonly dev?: string;
  readonly modules?: string;
}

/** The driver of Hailo-8, and that of the later ones. */
const MODULES = ['hailo_pci', 'hailo1x_pci'] as const;

/**
 * The library is loaded by a process of its own, so that one that crashes or hangs is told as such. A device is asked what it is as Hailo's
 * own `hailortcli fw-control identify` asks, which takes it from nobody.
 */
export async function surveyHailo(options: SurveyOptions): Promise<HailoSurvey> {
  const { dev = '/dev', modules = '/sys/module' } = options;
  const [nodes, driver, library] = await Promise.all([
    findNodes(dev),
    findDriver(modules),
    surveyLibrary(options),
  ]);
  return { nodes, driver, library };
}

async function findNodes(dev: string): Promise<DeviceNode[]> {
  const names = await readdir(dev).catch(() => []);
  const paths = names.filter((name) => /^hailo\d+$/.test(name)).map((name) => join(dev, name));
  return Promise.all(
    paths.sort().map(async (path) => {
      const usable = access(path, constants.R_OK | constants.W_OK);
      return {
        path,
        isUsable: await usable.then(
          () => true,
          () => false,
        ),
      };
    }),
  );
}

async function findDriver(modules: string): Promise<HailoSurvey['driver']> {
  for (const module of MODULES) {
    const version = await readFile(join(modules, module, 'version'), 'utf8').catch(() => undefined);
    if (version !== undefined) return { module, version: version.trim() };
  }
  return undefined;
}

/** The library and the bridge alone. Never rejects. */
export function surveyLibrary({ library, bridges, env, timeoutMs }: LibraryOptions): Promise<LibraryReport> {
  const child = fork(new URL('./survey-process.js', import.meta.url), [library, ...bridges], {
    // Else the library keeps a log in the working directory.
    env: { ...env, HAILORT_LOGGER_PATH: 'NONE' },
    execArgv: [],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  return new Promise((resolve) => {
    let report: LibraryReport | undefined;
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.on('message', (message) => {
      report = message as LibraryReport;
    });
    child.once('error', () => child.kill('SIGKILL'));
    child.once('close', (_code, signal) => {
      clearTimeout(timer);
      resolve(report ?? unanswered(library, signal));
    });
  });
}

function unanswered(library: string, signal: string | null): LibraryReport {
  const how =
    signal === 'SIGKILL' ? 'did not answer in time' : `ended unexpectedly (${signal ?? 'no reason given'})`;
  const message = `Hailo’s library ${how}. See that it is the one for this machine, look at the kernel’s log (dmesg), and restart the machine.`;
  return {
    isInstalled: true,
    path: library,
    devices: [],
    found: 0,
    problem: { code: 'not_runnable', message },
  };
}

/** What does not fit, each with its remedy; none where a device can be used, or where there is nothing of Hailo at all. */
export function problemsOf({ nodes, driver, library }: HailoSurvey): string[] {
  const problems = nodes
    .filter(({ isUsable }) => !isUsable)
    .map(
      ({ path }) =>
        `this user may not open ${path}: add it to the group that owns the device ("ls -l ${path}")`,
    );
  if (!library.isInstalled) {
    if (nodes.length > 0 || driver !== undefined)
      problems.push(
        'HailoRT is not installed: install its library, of the version of the driver, or name it with hailo.library',
      );
    return problems;
  }
  if (library.problem !== undefined) problems.push(library.problem.message.replace(/\.$/, ''));
  if (nodes.length === 0 && library.version !== undefined)
    problems.push(
      driver === undefined
        ? 'no driver is loaded (hailo_pci): install Hailo’s driver of the library’s version, then restart the machine'
        : `the driver ${driver.module} sees no device: see that it is plugged in and has power ("lspci", "dmesg")`,
    );
  if (library.version !== undefined) problems.push(...mismatches(library.version, { driver, library }));
  if (nodes.length > 0 && library.version !== undefined && library.found === 0)
    problems.push('the library finds no device although there is a node: look at the kernel’s log (dmesg)');
  return problems;
}

function mismatches(
  version: HailoVersion,
  { driver, library }: Pick<HailoSurvey, 'driver' | 'library'>,
): string[] {
  const text = versionText(version);
  const problems: string[] = [];
  if (driver !== undefined && driver.version !== text)
    problems.push(
      `the library is ${text} and the driver ${driver.version} (statuses 76, 85, 86): install both of one version, then restart the machine`,
    );
  const { bridge } = library;
  if (bridge?.problem !== undefined && library.devices.some(({ chip }) => needsBridge(chip)))
    problems.push(bridge.problem.message.replace(/\.$/, ''));
  for (const { firmware, chip } of library.devices) {
    if (firmware.major !== version.major || firmware.minor !== version.minor)
      problems.push(
        `the library is ${text} and the firmware ${versionText(firmware)} (status 16): install the driver package of the library’s version, which brings the firmware`,
      );
    const major = majorVersionFor(chip);
    if (major !== undefined && major !== version.major)
      problems.push(`a ${deviceChipName(chip)} needs HailoRT ${major}.x, and this is ${text} (status 79)`);
    if (isForCppOnly(chip, version) && bridge === undefined)
      problems.push(
        `HailoRT ${text} lets only C++ programs use a ${deviceChipName(chip)}, so a bridge is needed: build it by "percept hailo-bridge build"`,
      );
  }
  return problems;
}

/** All that was found, in one line; empty where there is nothing. */
export function foundOf({ nodes, driver, library }: HailoSurvey): string {
  const { bridge } = library;
  const usesBridge = bridge !== undefined && library.devices.some(({ chip }) => needsBridge(chip));
  const devices = library.devices.map(
    ({ chip, board, product, serial, firmware }) =>
      `${deviceChipName(chip)} (${[product || board, serial].filter((part) => part !== '').join(', ')}) with firmware ${versionText(firmware)}`,
  );
  return [
    ...devices,
    ...nodes.map(({ path }) => path),
    ...(driver === undefined ? [] : [`driver ${driver.module} ${driver.version}`]),
    ...(library.version === undefined ? [] : [`HailoRT ${versionText(library.version)} at ${library.path}`]),
    ...(usesBridge ? [`bridge at ${bridge.path}`] : []),
  ].join(', ');
}
