/** Which chips there are, by the numbers of a HEF and by those of the library, and which runs what was compiled for which. */

import type { HailoVersion } from './layouts.ts';

/** ProtoHEFHwArch: what a HEF was compiled for. The second names are those of Hailo's tools. */
const HEF_CHIPS: ReadonlyMap<number, string> = new Map([
  [0, 'hailo8 (first series)'],
  [1, 'hailo8'],
  [2, 'hailo8r'],
  [3, 'hailo8l'],
  [4, 'hailo15m'],
  [5, 'hailo10h (early)'],
  [6, 'hailo15l'],
  [103, 'hailo15h or hailo10h'],
  [104, 'hailo15h (early)'],
  [105, 'hailo15h (early)'],
  [106, 'hailo15l (early)'],
  [108, 'hailo12l'],
]);

/** `runs` are the chips of a HEF, by their numbers. */
interface DeviceChip {
  readonly name: string;
  readonly runs: readonly number[];
}

/** hailo_device_architecture_t */
const HAILO_10H = 6;

/**
 * Of each hailo_device_architecture_t. What each runs is HailoRT's own rule, in 4.23 for Hailo-8 and in 5.2 for the later ones: a Hailo-8 also
 * takes files for the smaller Hailo-8L, more slowly than its own; never the other way round. Files for the first series of Hailo-8 are left out, as 4.23 does.
 */
const DEVICE_CHIPS: ReadonlyMap<number, DeviceChip> = new Map([
  [1, { name: 'hailo8', runs: [1, 2, 3] }],
  [2, { name: 'hailo8l', runs: [3] }],
  [3, { name: 'hailo15h', runs: [4, 5, 103, 104, 105] }],
  [4, { name: 'hailo15l', runs: [6, 106] }],
  [5, { name: 'hailo15m', runs: [4] }],
  [HAILO_10H, { name: 'hailo10h', runs: [4, 5, 103, 104, 105] }],
  [7, { name: 'hailo12l', runs: [108] }],
]);

export function hefChipName(chip: number): string {
  return HEF_CHIPS.get(chip) ?? `chip ${chip}`;
}

/** Whether a HEF is for a chip of the first generation. */
export function isHailo8(hefChip: number): boolean {
  return hefChip <= 3;
}

export function deviceChipName(chip: number): string {
  return DEVICE_CHIPS.get(chip)?.name ?? `chip ${chip}`;
}

/** Whether the device runs files for that chip; undefined for a device that is not known here, which the library must tell. */
export function runsOn(deviceChip: number, hefChip: number): boolean | undefined {
  return DEVICE_CHIPS.get(deviceChip)?.runs.includes(hefChip);
}

/** Which major version of HailoRT drives a device; undefined where that is not known here. */
export function majorVersionFor(deviceChip: number): 4 | 5 | undefined {
  if (!DEVICE_CHIPS.has(deviceChip)) return undefined;
  return deviceChip <= 2 ? 4 : 5;
}

/** A Hailo-10H is a computer of its own, which HailoRT hands to the InferModel of C++: the bridge to it is used where there is one. */
export function needsBridge(deviceChip: number): boolean {
  return deviceChip === HAILO_10H;
}

/**
 * Whether the library is known not to configure the device by its C functions, which answer "not implemented". Without a bridge a later version is
 * tried, and its answer decides.
 */
export function isForCppOnly(deviceChip: number, { major, minor }: HailoVersion): boolean {
  return needsBridge(deviceChip) && major === 5 && minor <= 2;
}
