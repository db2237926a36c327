import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = new URL('../../../', import.meta.url);
const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

async function pages(): Promise<{ name: string; text: string }[]> {
  const docs = (await readdir(new URL('docs/', ROOT))).filter((name) => name.endsWith('.md'));
  const names = ['README.md', 'CHANGELOG.md', ...docs.map((name) => `docs/${name}`)];
  return Promise.all(
    names.map(async (name) => ({ name, text: await readFile(new URL(name, ROOT), 'utf8') })),
  );
}

test('every link between the pages leads to a file', async () => {
  const broken: string[] = [];
  for (const { name, text } of await pages()) {
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      if (!existsSync(new URL(target!, new URL(name, ROOT)))) broken.push(`${name}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('every `npm run` of the pages is a script of package.json', async () => {
  const { scripts } = JSON.parse(await readFile(new URL('package.json', ROOT), 'utf8')) as {
    scripts: object;
  };
  const used = (await pages()).flatMap(({ text }) =>
    [...text.matchAll(/\bnpm run ([\w:]+)/g)].map(([, name]) => name!),
  );
  assert.ok(used.length > 5);
  assert.deepEqual(
    used.filter((name) => !Object.hasOwn(scripts, name)),
    [],
  );
});

test('every `percept` command line of the pages has a command and options that exist', async () => {
  const used = (await pages()).flatMap(({ text }) =>
    [...text.matchAll(/(?:npx percept|main\.js|`percept) ([a-z]+(?:-[a-z]+)*)([^`\n#]*)/g)].map(
      ([, command, rest]) => ({
        command: command!,
        next: /^ ([a-z]+)/.exec(rest!)?.[1],
        options: [...rest!.matchAll(/--[a-z-]+/g)].map(([option]) => option),
      }),
    ),
  );
  assert.ok(used.length > 15);
  const help = new Map<string, string>();
  const ask = async (...words: string[]) => {
    const line = words.join(' ');
    if (!help.has(line)) help.set(line, await helpOf(words));
    return help.get(line)!;
  };
  for (const { command, next, options } of used) {
    let text = await ask(command);
    assert.match(
      text,
      command === 'help' ? /Usage: percept/ : new RegExp(`^Usage: percept ${command} `),
      command,
    );
    // Commands below commands, such as `percept tasks list`, have options of their own.
    const isBelow =
      next !== undefined && new RegExp(`^  ${next} `, 'm').test(text.split('Commands:')[1] ?? '');
    if (isBelow) text = await ask(command, next);
    for (const option of options) assert.ok(text.includes(option), `percept ${command} ${option}`);
  }
});

async function helpOf(words: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...words, '--help']);
  return stdout;
}
