import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findViolations } from './support/architecture-rules.ts';
import { OWN_SOURCES, readSources } from './support/imports.ts';
import { ROOMS } from './support/rooms.ts';
import { drawRooms, withDrawing } from './support/rooms-drawing.ts';
import { temporaryFolder } from './support/temporary.ts';

const OWN = fileURLToPath(OWN_SOURCES);

test('the source tree keeps its rules', async () => {
  const files = await readSources(OWN);
  assert.ok(files.length > 50, `only ${files.length} files were read from ${OWN}`);
  assert.deepEqual(findViolations(files), []);
});

test('the table of rooms points downwards only, and tasks never at one another', () => {
  const order = Object.keys(ROOMS);
  for (const [room, below] of Object.entries(ROOMS)) {
    for (const target of below)
      assert.ok(order.indexOf(target) > order.indexOf(room), `${room} -> ${target}`);
  }
  const tasks = ['speech', 'vision', 'language'];
  for (const task of tasks) assert.ok(!ROOMS[task]!.some((room) => tasks.includes(room)));
});

test('the drawing in docs/architecture.md is that of the imports', async () => {
  const page = await readFile(new URL('../../docs/architecture.md', import.meta.url), 'utf8');
  const drawn = withDrawing(page, drawRooms(await readSources(OWN)));
  assert.equal(page, drawn, 'run `npm run docs` and commit docs/architecture.md');
});

test('the dependencies of package.json are exactly the packages that the sources import', async () => {
  const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const imported = new Set((await readSources(OWN)).flatMap((file) => file.packages));
  assert.deepEqual([...imported].sort(), Object.keys(manifest.dependencies).sort());
});

test('a sound tree has no violation', async (context) => {
  const tree = {
    'main.ts': "import { run } from './cli/run.ts';\nrun();\n",
    'cli/run.ts': "import { Command } from 'commander';\nexport const run = () => new Command();\n",
    'engine/engine.ts': "import type { Errors } from '../base/errors.ts';\nexport type E = Errors;\n",
    'base/errors.ts':
      '// process.env is not read here, and import("nothing") neither.\nexport type Errors = string;\n',
    'config/environment.ts': 'export const env = () => ({ ...process.env });\n',
  };
  assert.deepEqual(await violationsOf(context, tree), []);
});

const PLANTED: readonly {
  readonly name: string;
  readonly tree: Record<string, string>;
  readonly found: string[];
}[] = [
  {
    name: 'an import upwards',
    tree: {
      'base/errors.ts': "import { port } from '../config/load.ts';\nexport { port };\n",
      'config/load.ts': 'export const port = 1;\n',
    },
    found: ['base/errors.ts imports config/load.ts: base may not import config'],
  },
  {
    name: 'an import upwards over several lines, of types alone',
    tree: {
      'store/pull.ts': "import type {\n  A,\n  B,\n} from '../server/server.ts';\nexport type C = A | B;\n",
      'server/server.ts': 'export type A = 1;\nexport type B = 2;\n',
    },
    found: ['store/pull.ts imports server/server.ts: store may not import server'],
  },
  {
    name: 'a dynamic import upwards',
    tree: {
      'audio/decode.ts': "export const later = () => import('../engine/engine.ts');\n",
      'engine/engine.ts': 'export const engine = 1;\n',
    },
    found: ['audio/decode.ts imports engine/engine.ts: audio may not import engine'],
  },
  {
    name: 'a re-export upwards',
    tree: {
      'graphs/layers.ts': "export * from '../speech/transcript.ts';\n",
      'speech/transcript.ts': 'export type T = 1;\n',
    },
    found: ['graphs/layers.ts imports speech/transcript.ts: graphs may not import speech'],
  },
  {
    name: 'a task that imports another task',
    tree: {
      'vision/rank.ts': "import '../speech/transcript.ts';\n",
      'speech/transcript.ts': 'export type T = 1;\n',
    },
    found: ['vision/rank.ts imports speech/transcript.ts: vision may not import speech'],
  },
  {
    name: 'a folder that is no room',
    tree: { 'utils/strings.ts': 'export const trim = 1;\n' },
    found: ['utils/strings.ts lies in no known room'],
  },
  {
    name: 'a cycle of two files in one room',
    tree: {
      'engine/a.ts': "import './b.ts';\n",
      'engine/b.ts': "import type { A } from './a.ts';\nexport type B = A;\n",
    },
    found: ['import cycle: engine/a.ts -> engine/b.ts -> engine/a.ts'],
  },
  {
    name: 'a native library outside its file',
    tree: { 'speech/whisper/model.ts': "import { Tensor } from 'onnxruntime-node';\nexport { Tensor };\n" },
    found: ['speech/whisper/model.ts imports onnxruntime-node, which belongs to backends/onnx.ts'],
  },
  {
    name: 'a library in two files',
    tree: {
      'store/wheel.ts': "import yauzl from 'yauzl';\nexport { yauzl };\n",
      'store/zip.ts': "import type { Entry } from 'yauzl';\nexport type E = Entry;\n",
    },
    found: ['store/zip.ts imports yauzl, which belongs to store/wheel.ts'],
  },
  {
    name: 'the web framework outside the server',
    tree: { 'app.ts': "import multipart from '@fastify/multipart';\nexport { multipart };\n" },
    found: ['app.ts imports @fastify/multipart, which belongs to server/'],
  },
  {
    name: 'the environment read elsewhere',
    tree: { 'engine/engine.ts': "export const home = process.env['HOME'];\n" },
    found: ['engine/engine.ts reads process.env, which is for config/environment.ts'],
  },
  {
    name: 'a computed import',
    tree: { 'cli/run.ts': "export const run = (name: string) => import('./' + name);\n" },
    found: ['cli/run.ts imports something whose name is not written out'],
  },
  {
    name: 'an import of a file that is not there',
    tree: { 'cli/run.ts': "import './walk.ts';\n" },
    found: ['cli/run.ts imports cli/walk.ts, which is not there'],
  },
  {
    name: 'a path outside the repository',
    tree: { 'store/pull.ts': "export const cache = '/work/cache';\n" },
    found: ['store/pull.ts names a path outside the repository'],
  },
  {
    name: 'a file that is too long',
    tree: { 'base/errors.ts': 'export {};\n'.repeat(401) },
    found: ['base/errors.ts has 401 lines; at most 400'],
  },
];

for (const { name, tree, found } of PLANTED) {
  test(`${name} is found`, async (context) => {
    assert.deepEqual(await violationsOf(context, tree), found);
  });
}

async function violationsOf(context: TestContext, tree: Record<string, string>): Promise<string[]> {
  const root = await temporaryFolder(context);
  for (const [path, text] of Object.entries(tree)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return findViolations(await readSources(root));
}
