/** Folders, stores and small files with the form of real models. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openStore, type Store, type StoreOptions } from '../../src/store/store.ts';

export type Files = Readonly<Record<string, Buffer>>;

export const NO_PROXY = { httpProxy: '', httpsProxy: '', noProxy: '' };

/** A CTranslate2 Whisper model whose weights are `sizeBytes` of noise behind a true header. */
export function ctranslate2Files(sizeBytes = 300_000): Files {
  const head = Buffer.concat([
    Buffer.from([6, 0, 0, 0, 12, 0]),
    Buffer.from('WhisperSpec\0'),
    Buffer.alloc(8),
  ]);
  return {
    'config.json': Buffer.from('{"suppress_ids": [1], "lang_ids": []}'),
    'tokenizer.json': Buffer.from('{"model": {}}'),
    'vocabulary.json': Buffer.from('["a"]'),
    'model.bin': Buffer.concat([head, randomBytes(sizeBytes)]),
  };
}

export function huggingFaceFiles(modelType = 'whisper'): Files {
  return {
    'config.json': Buffer.from(JSON.stringify({ model_type: modelType })),
    'generation_config.json': Buffer.from('{}'),
    'tokenizer.json': Buffer.from('{"model": {}}'),
    'model.safetensors': safetensors(4096),
  };
}

export function safetensors(sizeBytes: number): Buffer {
  const header = Buffer.from(
    JSON.stringify({ w: { dtype: 'F32', shape: [1], data_offsets: [0, sizeBytes] } }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, randomBytes(sizeBytes)]);
}

export function onnx(): Buffer {
  return Buffer.concat([Buffer.from([0x08, 8]), randomBytes(2048)]);
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'percept-store-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

export async function writeFiles(folder: string, files: Files): Promise<string> {
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

export interface StoreSetting {
  readonly hub?: string;
  readonly index?: string;
  readonly options?: Partial<StoreOptions>;
}

/** Addresses that nothing listens on stand in for the sources that a test does not name. */
export function storeOptions(home: string, { hub, index, options }: StoreSetting = {}): StoreOptions {
  return {
    home,
    offline: false,
    sources: {
      hubEndpoint: hub ?? 'http://127.0.0.1:9',
      hubToken: null,
      indexUrl: index ?? 'http://127.0.0.1:9/simple',
      order: ['hub', 'index'],
      connectTimeoutSeconds: 2,
      hailoResources: hub ?? 'http://127.0.0.1:9',
      hailoModelZoo: hub ?? 'http://127.0.0.1:9',
    },
    proxy: NO_PROXY,
    retryDelayMs: 5,
    ...options,
  };
}

/** A store whose voice activity model is already there, so that a pull is about the model it names. */
export async function storeWithVad(
  t: TestContext,
  setting: StoreSetting = {},
): Promise<{ store: Store; home: string }> {
  const home = await temporaryFolder(t);
  const store = openStore(storeOptions(home, setting));
  t.after(() => store.close());
  await importVad(t, store);
  return { store, home };
}

export async function importVad(t: TestContext, store: Store): Promise<void> {
  await store.import(
    'silero-vad',
    await writeFiles(await temporaryFolder(t), { 'silero_vad_16k_sequence.onnx': onnx() }),
  );
}

/** Every path below a folder but those of locks, sorted. */
export async function pathsBelow(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true });
  return names.filter((name) => !name.startsWith('locks')).sort();
}
