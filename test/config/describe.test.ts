import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { configurationPage, describeConfig } from '../../src/config/describe.ts';
import { proxySettings } from '../../src/config/environment.ts';
import { loadConfig } from '../../src/config/load.ts';

test('docs/configuration.md is what the schema generates', () => {
  const committed = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
  assert.equal(committed, configurationPage(), 'run `npm run docs` and commit docs/configuration.md');
});

test('rows hold value and origin, and mask keys, tokens and passwords in URLs', () => {
  const env = {
    HOME: '/nowhere',
    PERCEPT_API_KEYS: 'hunter2,hunter3',
    HF_TOKEN: 'hunter4',
    PIP_INDEX_URL: 'https://me:hunter5@i.test/simple',
  };
  const rows = describeConfig(loadConfig({ env }));
  assert.deepEqual(
    rows.find((row) => row.key === 'server.api_keys'),
    {
      key: 'server.api_keys',
      value: ['********', '********'],
      origin: 'PERCEPT_API_KEYS',
    },
  );
  assert.equal(rows.find((row) => row.key === 'sources.hub_token')?.value, '********');
  assert.equal(rows.find((row) => row.key === 'sources.index_url')?.value, 'https://********@i.test/simple');
  assert.equal(rows.find((row) => row.key === 'speech.vad.pad_ms')?.value, 400);
  assert.doesNotMatch(JSON.stringify(rows), /hunter/);
});

test('proxies are read in either case, with ALL_PROXY for what is unset', () => {
  assert.deepEqual(proxySettings({ HTTPS_PROXY: 'http://a', ALL_PROXY: 'http://b', no_proxy: 'c' }), {
    httpProxy: 'http://b',
    httpsProxy: 'http://a',
    noProxy: 'c',
  });
});
