import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { looksLikeRecording } from '../../src/audio/recognise-recording.ts';
import { temporaryFolder } from '../support/temporary.ts';

const latin1 = (text: string) => Buffer.from(text.padEnd(64, '\0'), 'latin1');

const RECORDINGS: Readonly<Record<string, Buffer>> = {
  'an M4A': latin1('\0\0\0\x20ftypM4A '),
  'an old QuickTime film': latin1('\0\0\0\x08wide'),
  'a WebM': latin1('\x1a\x45\xdf\xa3'),
  'an AAC stream': latin1('\xff\xf1\x50\x80'),
  'a WMA': latin1('\x30\x26\xb2\x75\x8e\x66\xcf\x11'),
  'an AIFF': latin1('FORM\0\0\0\x20AIFF'),
};
const OTHERS: Readonly<Record<string, Buffer>> = {
  'a text': Buffer.from('These are the minutes of the meeting.'),
  'a PDF': Buffer.from('%PDF-1.7'),
  'a ZIP': latin1('PK\x03\x04'),
  'a PNG': latin1('\x89PNG\r\n\x1a\n'),
  'a JPEG': latin1('\xff\xd8\xff\xe0'),
  'a WebP': latin1('RIFF\0\0\0\x20WEBPVP8 '),
  'an AVIF': latin1('\0\0\0\x20ftypavif'),
  'a HEIC': latin1('\0\0\0\x20ftypheic'),
  'an ELF program': latin1('\x7fELF'),
  zeros: Buffer.alloc(4096),
  nothing: Buffer.alloc(0),
};

for (const [kinds, expected] of [
  [RECORDINGS, true],
  [OTHERS, false],
] as const) {
  for (const [name, bytes] of Object.entries(kinds)) {
    test(`${name} ${expected ? 'can be' : 'is no'} recording`, async (context) => {
      const path = join(await temporaryFolder(context), 'file');
      await writeFile(path, bytes);
      assert.equal(await looksLikeRecording(path), expected);
    });
  }
}

test('a folder is no recording', async (context) => {
  assert.equal(await looksLikeRecording(await temporaryFolder(context)), false);
});
