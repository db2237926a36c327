/** The configuration that a fresh installation gets in /etc/hailo, with what an operator is likely to change. */
import type { ServiceKind, ServiceName } from './services.ts';

/** YAML, ending with a line break. Says nothing that is not a key of the schema. */
export function templateOf({ name }: ServiceKind): string {
  return `# Percept as the service ${name}.
#
# After a change: sudo percept install ${name}
# It checks this file, writes /etc/xdg/${name}/${name}.json from it, which the service reads, and restarts the service.
# All keys: /opt/${name}/current/docs/configuration.md. The profile and the data directory (/var/lib/${name}) are fixed.

${SETTINGS[name]}
service:
  # What systemd lets the service have. A smaller limit ends single models, which then answer out_of_memory.
${LIMITS[name]}`;
}

const SERVER = `  # Other machines are served only with a key, or with auth: none written out.
  host: 127.0.0.1
`;

const KEYS = `  # api_keys: [a-long-random-key]
`;

const SETTINGS: Readonly<Record<ServiceName, string>> = {
  'hailo-whisper': `server:
${SERVER}  port: 11437
${KEYS}
models:
  speech: whisper-small-int8
  # -1: stays in memory. 0: unloaded after each request. Or a time such as 5m.
  keep_alive: -1

speech:
  # null: found out for each recording.
  language: en
`,
  'hailo-clip': `server:
${SERVER}  port: 5000
${KEYS}
models:
  vision: clip-vit-b-32
  # -1: stays in memory. 0: unloaded after each request. Or a time such as 5m.
  keep_alive: -1

vision:
  # What cosines are multiplied by before the softmax; null: the model's own, which is 100 for most.
  logit_scale: null
`,
  percept: `server:
${SERVER}  port: 11437
${KEYS}
models:
  speech: whisper-base-int8
  vision: clip-vit-b-32
  language: phi-4-mini
  # How long an idle model stays in memory: -1 for ever, 0 not at all, or a time such as 5m.
  keep_alive: 5m
`,
};

const CAPPED = `  memory_max_bytes: 3221225472   # 3 GiB
  # In percent of one core. Models run on the processor where no Hailo device has them: then a low quota makes every answer slow.
  # cpu_quota_percent: 80
`;

const LIMITS: Readonly<Record<ServiceName, string>> = {
  'hailo-whisper': CAPPED,
  'hailo-clip': CAPPED,
  percept: `  # memory_max_bytes: 8589934592   # 8 GiB
  # cpu_quota_percent: 200         # two cores
  memory_max_bytes: null
  cpu_quota_percent: null
`,
};
