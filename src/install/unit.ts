/** The unit of systemd, and what the configuration adds to it. */
import type { Config } from '../config/schema.ts';
import type { Layout } from './layout.ts';
import type { ServiceKind } from './services.ts';

export interface UnitFacts {
  readonly service: ServiceKind;
  readonly layout: Layout;
  readonly config: Config;
  /** Path of Node.js. */
  readonly node: string;
  readonly deviceGroups: readonly string[];
}

/** How long model processes may take to end after the requests. */
const ENGINE_STOP_SECONDS = 5;
const LEAST_STOP_SECONDS = 30;
/** A program needs a capability for a port below it. */
const FIRST_FREE_PORT = 1024;

/**
 * The command names its configuration, where it could be found by the XDG variables as well: if the file is gone, the service must not
 * start with defaults.
 */
export function startCommand({ layout, node }: Pick<UnitFacts, 'layout' | 'node'>): readonly string[] {
  return [node, `${layout.current}/dist/src/main.js`, '--config', layout.json, 'serve'];
}

export const UNIT_ENVIRONMENT: Readonly<Record<string, string>> = {
  XDG_CONFIG_HOME: '/etc/xdg',
  XDG_CONFIG_DIRS: '/etc/xdg',
  XDG_DATA_HOME: '/var/lib',
  XDG_DATA_DIRS: '/var/lib:/usr/share:/usr/local/share',
  // HailoRT would keep a log of its own in the working directory.
  HAILORT_LOGGER_PATH: 'NONE',
};

export function unitText(facts: UnitFacts): string {
  const { service, layout, config, deviceGroups } = facts;
  const stopSeconds = Math.ceil(config.server.stopTimeoutSeconds) + ENGINE_STOP_SECONDS;
  const capability = config.server.port < FIRST_FREE_PORT ? 'CAP_NET_BIND_SERVICE' : '';
  const environment = Object.entries(UNIT_ENVIRONMENT).map(([name, value]) => `Environment=${name}=${value}`);
  return `# Written by "percept install ${service.name}", which writes over it. Your own changes: systemctl edit ${service.name}
[Unit]
Description=Percept (${service.name})
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User=${service.name}
Group=${service.name}
${deviceGroups.length > 0 ? `SupplementaryGroups=${deviceGroups.join(' ')}\n` : ''}ExecStart=${startCommand(facts).map(commandWord).join(' ')}
WorkingDirectory=${layout.data}
StateDirectory=${service.name}
StateDirectoryMode=0750
${environment.join('\n')}

Restart=always
RestartSec=5
# A configuration that cannot be used (exit code 2) will not become better by trying again.
RestartPreventExitStatus=2
KillSignal=SIGTERM
# The server ends its model processes itself, when their requests are done.
KillMode=mixed
TimeoutStopSec=${Math.max(LEAST_STOP_SECONDS, stopSeconds)}
# A model that takes too much memory costs its own process, not the service.
OOMPolicy=continue

# What the service may touch: its data, the network, and Hailo devices.
ProtectSystem=strict
ReadWritePaths=${[layout.data, ...foldersOutside(facts)].map(quoted).join(' ')}
ProtectHome=yes
PrivateTmp=yes
UMask=0077
DevicePolicy=closed
${DEVICES.map((device) => `DeviceAllow=${device} rw`).join('\n')}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK

# What it may ask of the kernel. Not MemoryDenyWriteExecute: V8 and ONNX Runtime compile code. Not ProcSubset=pid: both read /proc/cpuinfo and
# /proc/meminfo. Not PrivateDevices or PrivateUsers: Hailo devices are to be seen, with their groups.
NoNewPrivileges=yes
CapabilityBoundingSet=${capability}
AmbientCapabilities=${capability}
LockPersonality=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
# A dump would hold what was said.
LimitCORE=0

[Install]
WantedBy=multi-user.target
`;
}

/** Undefined where the configuration sets no limit. Operators' own drop-ins beside it are never touched. */
export function limitsText({ service }: Config, name: string): string | undefined {
  const lines = [
    ...(service.memoryMaxBytes === null ? [] : [`MemoryMax=${service.memoryMaxBytes}`]),
    ...(service.cpuQuotaPercent === null ? [] : [`CPUQuota=${service.cpuQuotaPercent}%`]),
  ];
  if (lines.length === 0) return undefined;
  return `# Written by "percept install ${name}" from service.* in /etc/hailo/${name}.yaml.\n[Service]\n${lines.join('\n')}\n`;
}

/** systemd makes the user at boot where an image has none yet, and `systemd-sysusers` at once. */
export function usersText({ name }: ServiceKind, { data }: Layout): string {
  return `# Written by "percept install ${name}".\nu ${name} - "Percept (${name})" ${data} -\n`;
}

/** The service's configuration may hold keys. In an image its group has no number yet, so that its owner is set at boot. */
export function temporaryFilesText({ name }: ServiceKind, { json }: Layout): string {
  return `# Written by "percept install ${name}".\nz ${json} 0640 root ${name} -\n`;
}

const DEVICES = ['/dev/hailo0', '/dev/hailo1', '/dev/hailo2', '/dev/hailo3'];

/** Recordings may be kept on another disk; nothing else is written outside. */
function foldersOutside({ config, layout }: UnitFacts): string[] {
  const { directory } = config.tasks;
  return directory === layout.data || directory.startsWith(`${layout.data}/`) ? [] : [directory];
}

/** In a command systemd also reads `$`. */
function commandWord(word: string): string {
  return quoted(word).replaceAll('$', '$$$$');
}

/** systemd reads `%` as the beginning of a specifier. */
function quoted(word: string): string {
  const escaped = word.replaceAll('%', '%%');
  return /[\s"'\\;]/.test(escaped) ? `"${escaped.replaceAll(/(["\\])/g, '\\$1')}"` : escaped;
}
