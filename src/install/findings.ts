/** Everything that an installation or a check of one may find, with what to do about it. docs/troubleshooting.md has a row for each. */

const REMEDIES = {
  // before an installation
  'not-linux': 'Run it with `percept serve` under a service manager of this system.',
  'not-root': 'Run it with sudo, or install into a directory tree with --root DIR.',
  'node-too-old': 'Install Node.js 20.19 or newer from https://nodejs.org, and run it again.',
  'no-systemd':
    'Start the service by hand with the command below, or install on a machine that systemd runs.',
  'user-taken': 'Rename or remove that user first; the service’s user must be one of the system.',
  'no-hailo-device':
    'If there is one: `lspci -d 1e60:`, then install Hailo’s driver (hailort-pcie-driver), restart, and install again.',
  'no-hailortcli': 'Install the hailort package of the version of the driver.',
  'hailo-silent':
    'See that driver, library and firmware are of one version (`percept doctor`), and that no other program holds the device.',
  'no-libhailort': 'Install the hailort package, or name the library in hailo.library.',
  'port-zero': 'Set server.port to a port of its own.',
  'port-in-use': 'Stop the other program (`ss -tlnp`), or set another server.port, and install again.',
  'low-memory': 'Choose a smaller model, or stop other programs.',
  'limit-low': 'Raise service.memory_max_bytes, or choose a smaller model.',
  'disk-full': 'Free some space there, and run it again.',
  'disk-low': 'Free some space there, or choose a smaller model.',
  'image-owner': 'Run it as root, or give the files to root when the image is made (`chown -R 0:0`).',
  'path-hidden': 'Move it to a folder such as /srv or /var/lib.',
  // after it
  'pull-failed': 'Run the command when the network is back, or bring the model with `percept import`.',
  'not-started': 'Read `journalctl -u NAME -n 50`, correct what it says, and install again.',
  'not-ready-yet': 'Ask `percept verify NAME` later; `journalctl -u NAME -f` shows what it does.',
  // of a service
  'not-installed': 'Install it with `sudo percept install NAME`.',
  'unit-missing': 'Install again: `sudo percept install NAME`.',
  'unit-edited': 'Put your changes into a drop-in (`systemctl edit NAME`), then install again.',
  'device-groups': 'Install again: `sudo percept install NAME`.',
  'limits-differ': 'Set limits in /etc/hailo/NAME.yaml, or in a drop-in of your own, then install again.',
  'not-enabled': 'Enable it with `sudo systemctl enable NAME`.',
  'not-active': 'Start it with `sudo systemctl start NAME`; `journalctl -u NAME -n 50` says why it ended.',
  'user-missing': 'Install again: `sudo percept install NAME`.',
  'program-missing': 'Install again: `sudo percept install NAME`.',
  'data-missing': 'Install again: `sudo percept install NAME`.',
  'data-owner': 'Give it back: `sudo chown -R NAME:NAME /var/lib/NAME`.',
  'data-open': 'Close it: `sudo chmod 0750 /var/lib/NAME`.',
  'config-missing': 'Install again: `sudo percept install NAME` writes a fresh one.',
  'config-broken': 'Correct that key, then install again: `sudo percept install NAME`.',
  'json-missing': 'Install again: `sudo percept install NAME`.',
  'json-outdated':
    'Install again: `sudo percept install NAME` takes the change over and restarts the service.',
  'json-unreadable': 'Install again: `sudo percept install NAME` gives it to root:NAME, mode 0640.',
  'secrets-readable':
    'Close it (`sudo chmod o-rwx FILE`), and replace the keys in it: others may have read them.',
  'not-seen': 'Run it with sudo.',
  'no-answer': 'See `systemctl status NAME` and `journalctl -u NAME -n 50`.',
  'other-program': 'Find it with `ss -tlnp`; stop it, or set another server.port and install again.',
  unhealthy: 'See `journalctl -u NAME -n 50`.',
  'old-version-runs': 'Restart it: `sudo systemctl restart NAME`.',
  'not-ready':
    'The reason is the server’s own. Wait if it loads; else correct it, see `journalctl -u NAME -n 50`.',
  'model-missing': 'Pull it: `sudo percept install NAME`.',
  'model-damaged': 'Remove its folder below /var/lib/NAME/resources/models, and install again.',
  'key-refused':
    'Give one with --key. Keys that were changed in the YAML count after `sudo percept install NAME`.',
  'model-not-listed': 'Set the default model to one of `GET /v1/models`, and install again.',
  'request-failed': 'The message is the server’s own; docs/errors.md has its code.',
  'answer-wrong': 'Check the model (`percept verify` hashes it); on a Hailo device, try the CPU model.',
} as const satisfies Readonly<Record<string, string>>;

export type FindingId = keyof typeof REMEDIES;
export const FINDING_IDS = Object.keys(REMEDIES) as readonly FindingId[];

export interface Finding {
  readonly id: FindingId | 'fine';
  /** `warn` works with less; `fail` does not work. */
  readonly state: 'ok' | 'warn' | 'fail';
  readonly message: string;
  /** Empty where nothing is to be done. */
  readonly remedy: string;
}

export function fine(message: string): Finding {
  return { id: 'fine', state: 'ok', message, remedy: '' };
}

/** What it says, with what to do about it; `name` is that of the service. */
export function warn(id: FindingId, message: string, name: string): Finding {
  return { id, state: 'warn', message, remedy: remedyOf(id, name) };
}

export function fail(id: FindingId, message: string, name: string): Finding {
  return { id, state: 'fail', message, remedy: remedyOf(id, name) };
}

function remedyOf(id: FindingId, name: string): string {
  return REMEDIES[id].replaceAll('NAME', name);
}
