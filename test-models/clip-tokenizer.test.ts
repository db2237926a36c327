/** The tokenizer with OpenAI's own vocabulary, which comes from open_clip's package: PERCEPT_TEST_PYTHON names an environment that has it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { BYTE_CHARACTERS } from '../src/base/byte-level.ts';
import { AppError } from '../src/base/errors.ts';
import { openTextTokenizer } from '../src/vision/clip/tokenizer.ts';
import { python } from './support/python.ts';

const GOLDEN = new URL('../../test/fixtures/clip/tokenizer/golden.json', import.meta.url);
const VOCABULARY = 'bpe_simple_vocab_16e6.txt.gz';
/** 49,152 tokens, less 256 bytes and the two that frame a text (openai/CLIP simple_tokenizer.py). */
const MERGES = 49_152 - 256 - 2;

const findFolder =
  'import importlib.util as u; print(u.find_spec("open_clip").submodule_search_locations[0])';
const interpreter = python();
const folder =
  interpreter === undefined
    ? undefined
    : await promisify(execFile)(interpreter, ['-c', findFolder]).then(
        ({ stdout }) => stdout.trim(),
        () => undefined,
      );
const skip = folder === undefined && 'PERCEPT_TEST_PYTHON names no environment with open_clip_torch';

let files = '';
before(async () => {
  if (folder === undefined) return;
  files = await mkdtemp(join(tmpdir(), 'percept-clip-'));
  const lines = gunzipSync(await readFile(join(folder, VOCABULARY)))
    .toString('utf8')
    .split('\n');
  const merges = lines.slice(1, MERGES + 1);
  const ends = BYTE_CHARACTERS.map((character) => `${character}</w>`);
  const joined = merges.map((merge) => merge.replace(' ', ''));
  // Bytes stand in the order of GPT-2's table: what is printable first.
  const bytes = [...BYTE_CHARACTERS].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  ends.sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  const tokens = [...bytes, ...ends, ...joined, '<|startoftext|>', '<|endoftext|>'];
  const vocabulary = Object.fromEntries(tokens.map((token, id) => [token, id]));
  await writeFile(join(files, 'vocab.json'), JSON.stringify(vocabulary));
  await writeFile(join(files, 'merges.txt'), ['#version: 0.2', ...merges].join('\n'));
});
after(() => (files === '' ? undefined : rm(files, { recursive: true })));

test('498 texts in many scripts have the ids that transformers gives them; longer ones are refused', {
  skip,
}, async () => {
  const { contextLength, texts } = JSON.parse(await readFile(GOLDEN, 'utf8')) as {
    contextLength: number;
    texts: readonly (readonly [text: string, ids: readonly number[]])[];
  };
  const real = openTextTokenizer(files, { contextLength, isPadded: false });
  const endless = openTextTokenizer(files, { contextLength: 10_000, isPadded: false });
  let refused = 0;
  for (const [text, ids] of texts) {
    const all = endless.encode(text).ids;
    if (all.length <= contextLength) {
      assert.deepEqual(real.encode(text).ids, ids, JSON.stringify(text));
      continue;
    }
    refused += 1;
    // The reference cuts, and puts the last token behind.
    assert.deepEqual(all.slice(0, contextLength - 1), ids.slice(0, -1), JSON.stringify(text));
    assert.throws(
      () => real.encode(text),
      (error) => error instanceof AppError && error.message.includes(`has ${all.length} tokens`),
    );
  }
  assert.equal(texts.length, 498);
  assert.ok(refused > 5);
});
