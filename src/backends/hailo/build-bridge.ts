/** Builds the bridge to a Hailo-10H from its source, against the HailoRT that is installed, and loads it once before it takes its place. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { AppError } from '../../base/errors.ts';
import { type HailoVersion, versionText } from './layouts.ts';
import { isFound } from './library.ts';
import { type LibraryReport, surveyLibrary } from './survey.ts';

export interface BuildOptions {
  /** Where the bridge is to lie. */
  readonly output: string;
  /** The folder that holds `hailo/infer_model.hpp`; undefined looks in the usual ones. */
  readonly include?: string | undefined;
  /** Path of libhailort, or `auto`. */
  readonly library: string;
  /** `CXX` names the compiler; `PATH` is where it is found. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

export interface BuiltBridge {
  readonly path: string;
  readonly compiler: string;
  readonly version: HailoVersion;
}

const SOURCE = fileURLToPath(new URL('../../../../native/hailo-bridge/hailo-bridge.cpp', import.meta.url));
const HEADER = 'hailo/infer_model.hpp';
const COMPILERS = ['c++', 'g++', 'clang++'] as const;
/** These the compiler searches by itself; named once more, they would come before its own headers, and break them. */
const COMPILER_INCLUDES = ['/usr/local/include', '/usr/include'] as const;
const OTHER_INCLUDES = ['/opt/hailo/include'] as const;
/** A minute on a slow machine, at most. */
const COMPILE_TIMEOUT_MS = 300_000;
const LOAD_TIMEOUT_MS = 15_000;
/** As much of what the compiler says as an error shows. */
const SHOWN_LINES = 5;

const run = promisify(execFile);

/** Throws `not_runnable` for what is missing or does not fit, each with what to install. What lay at `output` stays until the new one was loaded. */
export async function buildBridge(options: BuildOptions): Promise<BuiltBridge> {
  if (process.platform !== 'linux') throw refused('HailoRT’s library with a Hailo-10H is for Linux.');
  const { output, library, env } = options;
  const compiler = await findCompiler(options);
  const installed = await surveyLibrary({ library, bridges: [], env, timeoutMs: LOAD_TIMEOUT_MS });
  const { version } = installed;
  if (version === undefined) throw noLibrary(installed);
  const include = findHeaders(options.include, installed.path);
  const partial = `${output}.${process.pid}.partial`;
  try {
    await mkdir(dirname(output), { recursive: true });
    await compile(options, { compiler, include, library: installed.path, version, partial });
    const loaded = await surveyLibrary({ library, bridges: [partial], env, timeoutMs: LOAD_TIMEOUT_MS });
    const problem = loaded.bridge === undefined ? loaded.problem : loaded.bridge.problem;
    if (loaded.bridge === undefined || problem !== undefined)
      throw refused(`The bridge was built, and cannot be loaded: ${problem?.message ?? 'nothing was said'}`);
    await rename(partial, output);
  } catch (thrown) {
    throw cannotWrite(thrown, output);
  } finally {
    // Where it cannot be removed, it could not be written either.
    await rm(partial, { force: true }).catch(() => {});
  }
  return { path: output, compiler: compiler.join(' '), version };
}

/** With its own options, if `CXX` has some. */
async function findCompiler({ env, signal }: BuildOptions): Promise<readonly string[]> {
  const named = env['CXX']?.trim() ?? '';
  const candidates = named === '' ? COMPILERS.map((name) => [name]) : [named.split(/\s+/)];
  for (const candidate of candidates) {
    const [program = '', ...rest] = candidate;
    const answers = await run(program, [...rest, '--version'], { env: { ...env }, signal }).then(
      () => true,
      () => false,
    );
    signal.throwIfAborted();
    if (answers) return candidate;
  }
  const looked = named === '' ? COMPILERS.join(', ') : `CXX is ${named}`;
  throw refused(
    `There is no C++ compiler (${looked}). Install one: on Debian and Raspberry Pi OS, sudo apt install g++.`,
  );
}

function noLibrary({ path, problem }: LibraryReport): AppError {
  return refused(
    `HailoRT is needed to build the bridge, and its library was not loaded (${path}): ${problem?.message ?? 'it did not say its version'} On Raspberry Pi OS with an AI HAT+ 2: sudo apt install hailo-h10-all.`,
  );
}

/** Undefined where the compiler finds them by itself. */
function findHeaders(named: string | undefined, library: string): string | undefined {
  const beside = isFound(library) ? [join(dirname(dirname(library)), 'include')] : [];
  const places = named === undefined ? [...COMPILER_INCLUDES, ...OTHER_INCLUDES, ...beside] : [named];
  const found = places.find((place) => existsSync(join(place, HEADER)));
  if (found === undefined)
    throw refused(
      `The headers of HailoRT (${HEADER}) are not in ${places.join(', ')}. They come with HailoRT’s own package (hailort_VERSION_arm64.deb or _amd64.deb from Hailo; on Raspberry Pi OS with an AI HAT+ 2: sudo apt install hailo-h10-all); or name the folder that holds hailo/ with --include.`,
    );
  return COMPILER_INCLUDES.some((place) => place === found) ? undefined : found;
}

interface Compilation {
  readonly compiler: readonly string[];
  readonly include: string | undefined;
  readonly library: string;
  readonly version: HailoVersion;
  readonly partial: string;
}

async function compile(
  { env, signal }: BuildOptions,
  { compiler, include, library, version, partial }: Compilation,
): Promise<void> {
  const [program = '', ...rest] = compiler;
  const { major, minor, revision } = version;
  const flags = [
    '-std=c++17',
    '-O2',
    '-fPIC',
    '-fvisibility=hidden',
    '-pthread',
    '-shared',
    '-Wl,--no-undefined',
    `-DPERCEPT_FOR_HAILORT={${major},${minor},${revision}}`,
    ...(include === undefined ? [] : ['-isystem', include]),
  ];
  // By its path, so that the one is linked that was asked for its version.
  const linked = isFound(library) ? library : '-lhailort';
  const limits = { env: { ...env, LC_ALL: 'C' }, signal, timeout: COMPILE_TIMEOUT_MS };
  try {
    await run(program, [...rest, ...flags, '-o', partial, SOURCE, linked], limits);
  } catch (cause) {
    signal.throwIfAborted();
    const said = String((cause as { stderr?: unknown }).stderr ?? cause).split('\n');
    const errors = said.filter((line) => /error|undefined reference|cannot find/i.test(line));
    throw new AppError(
      'not_runnable',
      `${program} cannot build the bridge against HailoRT ${versionText(version)}. See that its headers and its library are of one version. It says: ${errors.slice(0, SHOWN_LINES).join('; ') || said[0]}`,
      { cause },
    );
  }
}

function cannotWrite(thrown: unknown, output: string): unknown {
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code ?? '';
  if (!['EACCES', 'EEXIST', 'EISDIR', 'ENOTDIR', 'EPERM', 'EROFS'].includes(code)) return thrown;
  return new AppError(
    'not_runnable',
    `The bridge cannot be written to ${output} (${code}). Choose another place with --output, or run the command as one who may write there (sudo).`,
    { cause: thrown },
  );
}

function refused(message: string): AppError {
  return new AppError('not_runnable', message);
}
