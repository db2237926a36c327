/** Percept as a service of a real systemd, and where there is none, with real weights; in systems of their own, which nothing is left of. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { openApp, testHome } from './support/home.ts';
import { bootSystem, REPOSITORY, type System, whyNoSystem } from './support/system.ts';

const skip = whyNoSystem();
const NAME = 'hailo-clip';
const DATA = `/var/lib/${NAME}`;
const YAML = `server:
  port: 5000
  api_keys: [one-of-ours]
models:
  vision: clip-shapes
  keep_alive: -1
service:
  memory_max_bytes: 1500000000
  cpu_quota_percent: 150
`;

interface Report {
  readonly unchanged: boolean;
  readonly state: string;
  readonly url: string;
  readonly start_command: string;
  readonly findings: readonly { readonly id: string; readonly state: string }[];
}

let system: System;
before(async () => {
  if (skip === false) system = await bootSystem('systemd');
});
after(() => system?.stop());

async function must(line: string): Promise<string> {
  const { code, stdout, stderr } = await system.shell(line);
  assert.equal(code, 0, `${line}: ${stdout}${stderr}`);
  return stdout.trim();
}

function writeYaml(text: string, name = NAME): Promise<string> {
  return must(
    `mkdir -p /etc/hailo && cat > /etc/hailo/${name}.yaml <<'END'\n${text}END\nchmod 640 /etc/hailo/${name}.yaml`,
  );
}

async function installed(name = NAME, on: Pick<System, 'percept'> = system): Promise<Report> {
  const { code, stdout, stderr } = await on.percept('install', name, '--json');
  assert.equal(code, 0, `${stdout}${stderr}`);
  return JSON.parse(stdout) as Report;
}

/** What is not ok, by its id; and with which code it ended. */
async function verified(
  words: readonly string[] = [],
  name = NAME,
  on: Pick<System, 'percept'> = system,
): Promise<string[]> {
  const { code, stdout, stderr } = await on.percept('verify', name, '--json', ...words);
  assert.ok(stdout !== '', stderr);
  const { checks } = JSON.parse(stdout) as { checks: { id: string; state: string; message: string }[] };
  assert.equal(code, checks.some(({ state }) => state === 'fail') ? 1 : 0);
  return checks.filter(({ state }) => state !== 'ok').map(({ id }) => id);
}

function mainProcess(): Promise<string> {
  return must(`systemctl show --property MainPID --value ${NAME}`);
}

test('hailo-clip is installed, started by systemd as its own user, and answers a real request', {
  skip,
}, async () => {
  await writeYaml(YAML);
  const { state, url, findings } = await installed();
  assert.deepEqual([state, url], ['started', 'http://127.0.0.1:5000']);
  assert.deepEqual(
    findings.filter((finding) => finding.state === 'fail'),
    [],
  );
  assert.deepEqual(await verified(), []);
  assert.match(await must(`ls -ld ${DATA}`), /^drwxr-x--- .* hailo-clip +hailo-clip /);
  assert.match(await must(`ls -l /etc/xdg/${NAME}/${NAME}.json`), /^-rw-r----- .* root +hailo-clip /);
  assert.match(await must(`getent passwd ${NAME}`), /:\/var\/lib\/hailo-clip:\/(usr\/)?s?bin\/nologin$/);
});

test('its walls stand: no rights, a filter of system calls, nothing to write but its data, nobody’s home', {
  skip,
}, async () => {
  const pid = await mainProcess();
  const status = await must(`cat /proc/${pid}/status`);
  assert.match(status, /^NoNewPrivs:\t1$/m);
  assert.match(status, /^Seccomp:\t2$/m);
  assert.match(status, /^CapEff:\t0+$/m);
  assert.match(status, /^CapBnd:\t0+$/m);
  const inside = `nsenter --target ${pid} --mount --root setpriv --reuid=${NAME} --regid=${NAME} --clear-groups`;
  assert.notEqual((await system.shell(`${inside} touch /etc/xdg/${NAME}/x`)).code, 0);
  assert.match(
    (await system.shell(`nsenter --target ${pid} --mount --root touch /etc/x`)).stderr,
    /Read-only file system/,
  );
  assert.match(
    (await system.shell(`nsenter --target ${pid} --mount --root touch /opt/x`)).stderr,
    /Read-only file system/,
  );
  assert.notEqual((await system.shell(`${inside} ls /root`)).code, 0);
  await must(`${inside} touch ${DATA}/x && rm ${DATA}/x`);
  const show = await must(
    `systemctl show ${NAME} --property MemoryMax --property CPUQuotaPerSecUSec --property User`,
  );
  assert.match(show, /^MemoryMax=1500000000$/m);
  assert.match(show, /^CPUQuotaPerSecUSec=1\.50*s$/m);
});

test('a second installation changes nothing and lets the service run', { skip }, async () => {
  const pid = await mainProcess();
  const { unchanged, state } = await installed();
  assert.deepEqual([unchanged, state], [true, 'running']);
  assert.equal(await mainProcess(), pid);
});

test('a service that dies is started again', { skip }, async () => {
  const pid = await mainProcess();
  await must(`kill -9 ${pid}`);
  const isBack = `until [ "$(systemctl show -p MainPID --value ${NAME})" -gt 0 ] && node -e "fetch('http://127.0.0.1:5000/health/ready').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"; do sleep 0.2; done`;
  await must(`timeout 60 sh -c '${isBack.replaceAll("'", `'\\''`)}'`);
  assert.notEqual(await mainProcess(), pid);
  assert.deepEqual(await verified(), []);
});

interface Broken {
  readonly how: string;
  readonly breaks: string;
  readonly found: readonly string[];
  /** The remedy that the finding names. */
  readonly repairs: string;
}

const INSTALL = 'install';

const BROKEN: readonly Broken[] = [
  {
    how: 'a file of the data directory is root’s',
    breaks: `touch ${DATA}/cache/of-root`,
    found: ['data-owner'],
    repairs: `chown -R ${NAME}:${NAME} ${DATA}`,
  },
  {
    how: 'the service may not read its configuration',
    breaks: `chown root:root /etc/xdg/${NAME}/${NAME}.json`,
    found: ['json-unreadable'],
    repairs: INSTALL,
  },
  {
    how: 'its user may not start the program',
    breaks: `chmod 700 /opt/${NAME}`,
    found: ['program-missing'],
    repairs: INSTALL,
  },
  {
    how: 'weights were damaged',
    breaks: `printf x | dd of=${DATA}/models/clip-shapes/model.safetensors bs=1 seek=5000 conv=notrunc 2>&1`,
    found: ['model-damaged'],
    repairs: `rm -r ${DATA}/resources/models/clip-shapes`,
  },
  { how: 'the model is gone', breaks: 'true', found: ['model-missing'], repairs: INSTALL },
  {
    how: 'it was stopped',
    breaks: `systemctl stop ${NAME}`,
    found: ['not-active', 'no-answer'],
    repairs: 'true',
  },
  {
    how: 'another program took its port',
    breaks: `node -e "require('http').createServer((q, r) => r.end('{}')).listen(5000, '127.0.0.1')" >/dev/null 2>&1 & echo $! >/run/other; sleep 1`,
    found: ['not-active', 'other-program'],
    repairs: 'kill $(cat /run/other)',
  },
  {
    how: 'another Percept, of another user, took its port',
    breaks: `PERCEPT_HOME=/run/percept PERCEPT_OFFLINE=1 PERCEPT_API_KEYS=one-of-ours PERCEPT_MODELS_PRELOAD=false ${process.execPath} ${join(REPOSITORY, 'dist/src/main.js')} serve --profile ${NAME} >/dev/null 2>&1 & echo $! >/run/other; sleep 3`,
    found: ['not-active', 'other-program'],
    repairs: 'kill $(cat /run/other); sleep 1',
  },
  {
    how: 'it is still stopped',
    breaks: 'true',
    found: ['not-active', 'no-answer'],
    repairs: `systemctl start ${NAME}; sleep 4`,
  },
];

for (const { how, breaks, found, repairs } of BROKEN) {
  test(`${how}: ${found.join(', ')}`, { skip }, async () => {
    await must(breaks);
    assert.deepEqual(await verified(), found);
    if (repairs === INSTALL) await installed();
    else await must(repairs);
  });
}

test('all that was broken is whole again', { skip }, async () => {
  assert.deepEqual(await verified(), []);
});

test('a user that is gone is told of, and made again', { skip }, async () => {
  await must(`cp /etc/passwd /run/passwd && sed -i /^${NAME}:/d /etc/passwd`);
  assert.ok((await verified()).includes('user-missing'));
  await must('cp /run/passwd /etc/passwd');
});

test('a changed configuration restarts the service; one that cannot be used stops nothing', {
  skip,
}, async () => {
  await writeYaml(YAML.replace('port: 5000', 'port: 5001'));
  assert.deepEqual(await verified(), ['json-outdated']);
  const { state, url } = await installed();
  assert.deepEqual([state, url], ['restarted', 'http://127.0.0.1:5001']);
  assert.deepEqual(await verified(), []);
  const pid = await mainProcess();
  await writeYaml(YAML.replace('port: 5000', 'prot: 5001'));
  const refused = await system.percept('install', NAME);
  assert.equal(refused.code, 2);
  assert.match(
    refused.stderr,
    /^percept: Unknown configuration key server\.prot \(\/etc\/hailo\/hailo-clip\.yaml\)/,
  );
  assert.equal(await mainProcess(), pid);
  assert.deepEqual(await verified(), ['config-broken']);
});

test('a device that appears is told of, and given to the service by the next installation', {
  skip,
}, async () => {
  await writeYaml(YAML);
  await installed();
  // No device of Hailo's, only something to open: what matters is who may.
  await must('groupadd hailo && mknod /dev/hailo0 c 1 5 && chgrp hailo /dev/hailo0 && chmod 660 /dev/hailo0');
  assert.deepEqual(await verified(), ['device-groups']);
  const { state, findings } = await installed();
  assert.equal(state, 'restarted');
  assert.ok(!findings.some(({ id }) => id === 'no-hailo-device'));
  await must(
    'printf "#!/bin/sh\\necho no firmware >&2\\nexit 1\\n" > /usr/local/bin/hailortcli && chmod 755 /usr/local/bin/hailortcli',
  );
  const silent = (await installed()).findings.filter(
    ({ id }) => id.startsWith('hailo') || id.startsWith('no-hailo'),
  );
  assert.deepEqual(
    silent.map(({ id }) => id),
    ['hailo-silent'],
  );
  assert.deepEqual(await verified(), []);
  const group = (await must('getent group hailo')).split(':')[2];
  assert.match(
    await must(`cat /proc/${await mainProcess()}/status`),
    new RegExp(`^Groups:\\t.*\\b${group}\\b`, 'm'),
  );
});

test('uninstall stops it and leaves data and configuration, --purge nothing at all', { skip }, async () => {
  const { code, stderr } = await system.percept('uninstall', NAME);
  assert.equal(code, 0, stderr);
  assert.equal((await system.shell(`systemctl cat ${NAME}`)).code, 1);
  assert.equal(
    await must(`find /etc /opt /var/lib -maxdepth 5 -name "${NAME}*" | sort`),
    `/etc/hailo/${NAME}.yaml\n${DATA}`,
  );
  await must(`id ${NAME}`);
  const purged = await system.percept('uninstall', NAME, '--purge');
  assert.equal(purged.code, 0, purged.stderr);
  assert.equal(
    await must(
      `find /etc /opt /var/lib -maxdepth 5 -name "*${NAME}*"; grep -s ${NAME} /etc/passwd /etc/group || true`,
    ),
    '',
  );
  assert.equal((await system.percept('uninstall', NAME, '--purge')).code, 0);
});

test('percept hears real speech as a service; its weights were brought from elsewhere', {
  skip,
}, async () => {
  await pulled('whisper-tiny.en');
  const models = '/var/lib/percept/resources/models';
  await must(`mkdir -p ${models}`);
  await must(
    `cp -r ${['whisper-tiny.en', 'silero-vad'].map((name) => join(testHome(), 'models', name)).join(' ')} ${models}`,
  );
  await writeYaml(
    'server:\n  port: 11437\nmodels:\n  speech: whisper-tiny.en\nservice:\n  memory_max_bytes: 2000000000\n',
    'percept',
  );
  assert.equal((await installed('percept')).state, 'started');
  assert.deepEqual(await verified([], 'percept'), ['data-owner']);
  await must('chown -R percept:percept /var/lib/percept');
  const { code, stdout } = await system.percept('verify', 'percept');
  assert.equal(code, 0, stdout);
  assert.match(
    stdout,
    /^ok +answer +whisper-tiny\.en-int8 heard "He might even have been made amiable himself\."$/m,
  );
  assert.equal((await system.percept('uninstall', 'percept', '--purge')).code, 0);
});

test('where systemd does not run, it is installed, and started by the command that is printed', {
  skip,
}, async () => {
  const bare = await bootSystem('none');
  try {
    assert.equal(
      (
        await bare.shell(
          `mkdir -p /etc/hailo && echo 'models: { vision: clip-shapes }' >/etc/hailo/${NAME}.yaml`,
        )
      ).code,
      0,
    );
    const { state, start_command, findings } = await installed(NAME, bare);
    assert.equal(state, 'by hand');
    assert.ok(findings.some(({ id }) => id === 'no-systemd'));
    await bare.shell(`(${start_command}) >/run/log 2>&1 & sleep 5`);
    assert.deepEqual(await verified([], NAME, bare), ['no-systemd']);
    assert.equal((await bare.shell(`pkill -TERM -u ${NAME} -o; sleep 2`)).code, 0);
    assert.equal((await bare.percept('uninstall', NAME, '--purge')).code, 0);
  } finally {
    await bare.stop();
  }
});

/** Into the home of these tests, where it may lie already. */
async function pulled(name: string): Promise<void> {
  const app = openApp();
  try {
    await app.store.pull(name);
  } finally {
    await app.close({ timeoutMs: 0 });
  }
}
