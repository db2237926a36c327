/** libhailort by its C functions, and the bridge to its C++ classes: the only file that knows koffi. Nothing is loaded before the first device is asked for. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../base/errors.ts';
import { type HailoVersion, readVersion, VERSION_BYTES, vstreamInfoBytes } from './layouts.ts';

/** A pointer is a buffer, an address, or null; 64-bit handles are addresses. */
export type Argument = Uint8Array | Float32Array | bigint | number | boolean | string | null;

/** Functions by their names, with their parameters; each answers a status. */
const FUNCTIONS = {
  hailo_get_library_version: ['void *'],
  hailo_scan_devices: ['void *', 'void *', 'void *'],
  hailo_create_device_by_id: ['void *', 'void *'],
  hailo_release_device: ['void *'],
  hailo_identify: ['void *', 'void *'],
  hailo_init_vdevice_params: ['void *'],
  hailo_create_vdevice: ['void *', 'void *'],
  hailo_release_vdevice: ['void *'],
  hailo_get_physical_devices: ['void *', 'void *', 'void *'],
  hailo_create_hef_file: ['void *', 'str'],
  hailo_release_hef: ['void *'],
  hailo_get_network_groups_infos: ['void *', 'void *', 'void *'],
  hailo_hef_get_all_vstream_infos: ['void *', 'str', 'void *', 'void *'],
  hailo_hef_get_sorted_output_names: ['void *', 'str', 'void *', 'void *'],
  hailo_configure_vdevice: ['void *', 'void *', 'void *', 'void *', 'void *'],
  hailo_shutdown_network_group: ['void *'],
  hailo_make_input_vstream_params: ['void *', 'bool', 'int', 'void *', 'void *'],
  hailo_make_output_vstream_params: ['void *', 'bool', 'int', 'void *', 'void *'],
  hailo_create_input_vstreams: ['void *', 'void *', 'size_t', 'void *'],
  hailo_create_output_vstreams: ['void *', 'void *', 'size_t', 'void *'],
  hailo_get_input_vstream_info: ['void *', 'void *'],
  hailo_get_output_vstream_info: ['void *', 'void *'],
  hailo_get_input_vstream_frame_size: ['void *', 'void *'],
  hailo_get_output_vstream_frame_size: ['void *', 'void *'],
  hailo_vstream_write_raw_buffer: ['void *', 'void *', 'size_t'],
  hailo_vstream_read_raw_buffer: ['void *', 'void *', 'size_t'],
  hailo_release_input_vstreams: ['void *', 'size_t'],
  hailo_release_output_vstreams: ['void *', 'size_t'],
} as const;

/** Of the bridge (native/hailo-bridge/hailo-bridge.cpp). */
const BRIDGE_FUNCTIONS = {
  percept_hailo_interface: [],
  percept_hailo_versions: ['void *', 'void *'],
  percept_hailo_open: ['str', 'void *'],
  percept_hailo_close: ['void *'],
  percept_hailo_load: ['void *', 'str', 'int', 'int', 'void *'],
  percept_hailo_describe: ['void *', 'void *', 'void *'],
  percept_hailo_run: ['void *', 'void *', 'size_t', 'void *', 'size_t', 'uint32_t'],
  percept_hailo_abort: ['void *'],
  percept_hailo_unload: ['void *', 'uint32_t'],
} as const;

export type HailoFunction = keyof typeof FUNCTIONS;
export type BridgeFunction = keyof typeof BRIDGE_FUNCTIONS;

export interface NativeFunctions<Name extends string> {
  readonly path: string;
  /** For what answers at once. The thread is busy meanwhile. */
  callNow(name: Name, ...values: Argument[]): number;
  /**
   * In a thread of Node's pool, one for each open call. What the arguments point to is kept until the answer, and must not be changed,
   * moved or read before.
   */
  call(name: Name, ...values: Argument[]): Promise<number>;
  /** The library's name of a status; undefined for one that it does not know. */
  statusName(status: number): string | undefined;
}

export interface HailoLibrary extends NativeFunctions<HailoFunction> {
  readonly version: HailoVersion;
  /** Of one vstream info in this version. */
  readonly vstreamInfoBytes: number;
  /** Where a buffer lies; good for as long as the buffer is kept. */
  addressOf(bytes: Uint8Array): bigint;
}

/** Where packages install it, in this order; then wherever the system's loader finds it. */
const PLACES = [
  '/usr/lib',
  '/usr/local/lib',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/lib',
  '/opt/hailo/lib',
] as const;
const LOADER_NAME = 'libhailort.so';
/** A thread's usual stack. Koffi gives an asynchronous call 128 KiB, too little for a library that parses and configures in it. */
const STACK_BYTES = 8 * 1024 * 1024;
/** As many stacks are kept between calls: those of a thread pool of the usual size. */
const KEPT_STACKS = 4;

/** `path` may be `auto`. Throws `not_runnable` where there is no library, it cannot be loaded, or its version is not supported. */
export async function openLibrary(path: string): Promise<HailoLibrary> {
  const found = path === 'auto' ? findLibrary() : path;
  const { default: koffi } = await importKoffi();
  const { functions, statusText } = loading(
    () => ({
      functions: loadFunctions(koffi, found, FUNCTIONS),
      statusText: koffi.load(found).func('hailo_get_status_message', 'str', ['int']),
    }),
    (reason) =>
      `Hailo’s library ${found} cannot be loaded: ${reason}. Install HailoRT, with the driver of the same version, or name its library with hailo.library.`,
  );
  const calls = nativeCalls<HailoFunction>(found, functions);
  const bytes = Buffer.alloc(VERSION_BYTES);
  const status = calls.callNow('hailo_get_library_version', bytes);
  if (status !== 0)
    throw new AppError('not_runnable', `The library ${found} does not say its version (status ${status}).`);
  const version = readVersion(bytes);
  return {
    ...calls,
    version,
    vstreamInfoBytes: vstreamInfoBytes(version),
    statusName: (code) => statusText(code) ?? undefined,
    addressOf: (buffer) => koffi.address(buffer),
  };
}

/**
 * The functions of a bridge for `library`, which is loaded and stays. Throws `not_runnable` for what cannot be loaded, is no bridge, or has another interface;
 * the versions of HailoRT are for the caller to compare.
 */
export async function openBridgeLibrary(
  path: string,
  { library, interfaceVersion }: { readonly library: HailoLibrary; readonly interfaceVersion: number },
): Promise<NativeFunctions<BridgeFunction>> {
  const { default: koffi } = await importKoffi();
  const refusal = (reason: string) =>
    `The bridge to the Hailo device ${path} cannot be loaded: ${reason}. Build it again: percept hailo-bridge build.`;
  // First alone, as another interface may lack the rest.
  const { percept_hailo_interface } = BRIDGE_FUNCTIONS;
  const first = loading(() => loadFunctions(koffi, path, { percept_hailo_interface }), refusal);
  const found = first.get('percept_hailo_interface')!();
  if (found !== interfaceVersion)
    throw new AppError(
      'not_runnable',
      `The bridge to the Hailo device ${path} was built by another version of Percept: its interface is ${found}, and this one needs ${interfaceVersion}. Build it again: percept hailo-bridge build.`,
    );
  const functions = loading(() => loadFunctions(koffi, path, BRIDGE_FUNCTIONS), refusal);
  return { ...nativeCalls(path, functions), statusName: library.statusName };
}

function nativeCalls<Name extends string>(
  path: string,
  functions: ReadonlyMap<string, NativeFunction>,
): Omit<NativeFunctions<Name>, 'statusName'> {
  return {
    path,
    callNow: (name, ...values) => functions.get(name)!(...values),
    call: (name, ...values) =>
      new Promise((resolve, reject) => {
        functions.get(name)!.async(...values, (error: Error | null, status: number) => {
          // Also keeps what the arguments point to until here.
          values.length = 0;
          if (error) reject(error);
          else resolve(status);
        });
      }),
  };
}

/** The first in the usual places, of its newest version there; else the name that the system's loader knows. */
export function findLibrary(places: readonly string[] = PLACES): string {
  for (const place of places) {
    const plain = join(place, LOADER_NAME);
    if (existsSync(plain)) return plain;
    const newest = versionsIn(place).at(-1);
    if (newest !== undefined) return join(place, newest);
  }
  return LOADER_NAME;
}

/** Whether a path that was found is a file, and not the name that is left to the system's loader. */
export function isFound(path: string): boolean {
  return path !== LOADER_NAME;
}

function versionsIn(place: string): string[] {
  if (!existsSync(place)) return [];
  const names = readdirSync(place).filter((name) => /^libhailort\.so\.\d+(\.\d+)*$/.test(name));
  return names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

async function importKoffi() {
  try {
    return await import('koffi');
  } catch (cause) {
    throw new AppError(
      'not_runnable',
      `There is no native part of koffi for ${process.platform} ${process.arch}, so Hailo devices cannot be used. Install Percept again with "npm ci".`,
      { cause },
    );
  }
}

type Koffi = Awaited<ReturnType<typeof importKoffi>>['default'];
type NativeFunction = ReturnType<ReturnType<Koffi['load']>['func']>;

/** By their names, each answering a number. */
function loadFunctions(
  koffi: Koffi,
  path: string,
  table: Readonly<Record<string, readonly string[]>>,
): Map<string, NativeFunction> {
  // It can be set before the first library is loaded only.
  if (koffi.config().async_stack_size !== STACK_BYTES)
    koffi.config({ async_stack_size: STACK_BYTES, resident_async_pools: KEPT_STACKS });
  const library = koffi.load(path);
  return new Map(
    Object.entries(table).map(([name, parameters]) => [name, library.func(name, 'int', [...parameters])]),
  );
}

function loading<T>(load: () => T, refusal: (reason: string) => string): T {
  try {
    return load();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('not_runnable', refusal(reason.replace(/\.$/, '')), { cause });
  }
}
