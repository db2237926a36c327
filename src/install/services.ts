/** The services that Percept installs as. */
import { AppError } from '../base/errors.ts';
import type { Config, Profile } from '../config/schema.ts';

export const SERVICE_NAMES = ['hailo-whisper', 'hailo-clip', 'percept'] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

export interface ServiceKind {
  /** Of the unit, its user and group, and all its folders. */
  readonly name: ServiceName;
  readonly profile: Profile;
  /** Whether it is meant for a machine with a Hailo device. */
  readonly usesHailo: boolean;
  /** The model that its health depends on, and how it is asked. */
  defaultModel(config: Config): string;
  readonly task: 'speech' | 'vision';
}

const SERVICES: Readonly<Record<ServiceName, ServiceKind>> = {
  'hailo-whisper': {
    name: 'hailo-whisper',
    profile: 'hailo-whisper',
    usesHailo: true,
    task: 'speech',
    defaultModel: ({ models }) => models.speech,
  },
  'hailo-clip': {
    name: 'hailo-clip',
    profile: 'hailo-clip',
    usesHailo: true,
    task: 'vision',
    defaultModel: ({ models }) => models.vision,
  },
  percept: {
    name: 'percept',
    profile: 'all',
    usesHailo: false,
    task: 'speech',
    defaultModel: ({ models }) => models.speech,
  },
};

/** Throws `usage` for any other name. */
export function serviceNamed(name: string): ServiceKind {
  const known = SERVICE_NAMES.find((candidate) => candidate === name);
  if (known !== undefined) return SERVICES[known];
  throw new AppError(
    'usage',
    `There is no service ${JSON.stringify(name)}; expected one of ${SERVICE_NAMES.join(', ')}.`,
  );
}
