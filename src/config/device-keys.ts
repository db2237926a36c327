/** The keys of a Hailo device, and of Percept as a service of the system. */
import { z } from 'zod';
import { bytes, MIB, note, seconds } from './notes.ts';

export const hailoKeys = z.object({
  library: note(
    z.string().min(1).default('auto'),
    'Path of libhailort; auto looks where its packages install it.',
  ),
  bridge: note(
    z.string().min(1).nullable().default('auto'),
    'Path of the bridge to a Hailo-10H (percept hailo-bridge build); auto looks in hailo/ of the data directory, /usr/local/lib and /usr/lib/percept; null uses none.',
  ),
  groupId: note(
    z.string().min(1).max(255).default('SHARED'),
    'Models of one process that name the same group share one device.',
  ),
  multiProcessService: note(
    z.boolean().default(false),
    'Share a Hailo-8 between processes through hailort_service, which must be running.',
  ),
  timeoutSeconds: note(seconds(0.1).default(10), 'Longest wait for the device to take or give one frame.'),
  textEncoder: note(
    z.enum(['auto', 'npu', 'cpu']).default('auto'),
    'Where CLIP models of a Hailo device read texts; auto: on the device if the model has a text encoder for it.',
  ),
});

export const serviceKeys = z.object({
  memoryMaxBytes: note(
    bytes(256 * MIB)
      .nullable()
      .default(null),
    'Most memory of the installed service (systemd’s MemoryMax).',
    { fallback: 'no limit' },
  ),
  cpuQuotaPercent: note(
    z.int().min(1).max(100_000).nullable().default(null),
    'Most processor time of the installed service, in percent of one core (systemd’s CPUQuota).',
    { fallback: 'no limit' },
  ),
});
