import { availableParallelism, cpus } from 'node:os';
import { onnxRuntimeVersion } from '../backends/onnx.ts';

/** What a measurement depends on beside what is measured. */
export interface Conditions {
  readonly percept: string;
  readonly node: string;
  readonly onnxRuntime: string;
  /** Such as `linux x64`. */
  readonly platform: string;
  readonly cpu: string;
  /** Those that this process may use. */
  readonly cores: number;
  /** ISO 8601, UTC. */
  readonly date: string;
}

export async function readConditions(version: string): Promise<Conditions> {
  return {
    percept: version,
    node: process.versions.node,
    onnxRuntime: await onnxRuntimeVersion(),
    platform: `${process.platform} ${process.arch}`,
    // Some virtual machines and ARM boards do not say.
    cpu: cpus()[0]?.model.trim() || 'an unnamed processor',
    cores: availableParallelism(),
    date: new Date().toISOString(),
  };
}
