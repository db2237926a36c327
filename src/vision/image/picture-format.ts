/** What a file is by its first bytes: decoders see nothing else than the six formats they are here for. */
import { AppError } from '../../base/errors.ts';

export type PictureFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'avif' | 'tiff';

export const READ_FORMATS = 'JPEG, PNG, WebP, GIF, AVIF or TIFF';

/** Names and media types of files are never asked. Throws `unsupported_image`, naming what the file is in place of a picture. */
export function identifyPicture(bytes: Uint8Array): PictureFormat {
  if (bytes.length === 0) throw refuse('The picture is empty: 0 bytes');
  const start = Buffer.from(bytes.subarray(0, START_BYTES)).toString('latin1');
  const has = ([, sign]: readonly [string, Sign]) =>
    Object.entries(sign).every(([at, text]) => start.startsWith(text, Number(at)));
  const refused = REFUSED.find(has)?.[0];
  const format = READ.find(has)?.[0];
  if (format !== undefined && refused === undefined) return format;
  if (start.startsWith('ftyp', 4)) return identifyContainer(start);
  const name = refused ?? nameOfText(bytes);
  throw refuse(
    name === undefined
      ? 'The file is no picture that is known here'
      : `The file is ${name}, which is not read`,
  );
}

/** Enough for the brands of any AVIF file. */
const START_BYTES = 512;

/** Which bytes stand where. */
type Sign = Readonly<Record<number, string>>;

const READ: readonly (readonly [PictureFormat, Sign])[] = [
  ['jpeg', { 0: '\xff\xd8\xff' }],
  ['png', { 0: '\x89PNG\r\n\x1a\n' }],
  ['gif', { 0: 'GIF87a' }],
  ['gif', { 0: 'GIF89a' }],
  ['webp', { 0: 'RIFF', 8: 'WEBP' }],
  ['tiff', { 0: 'II*\0' }],
  ['tiff', { 0: 'MM\0*' }],
  // BigTIFF.
  ['tiff', { 0: 'II+\0\x08\0' }],
  ['tiff', { 0: 'MM\0+\0\x08' }],
];

/** Asked first: some begin like a format that is read. */
const REFUSED: readonly (readonly [string, Sign])[] = [
  ['a Canon raw picture', { 0: 'II*\0', 8: 'CR\x02' }],
  ['a PDF document', { 0: '%PDF-' }],
  ['a BMP picture', { 0: 'BM', 6: '\0\0\0\0' }],
  ['a JPEG XL picture', { 0: '\xff\x0a' }],
  ['a JPEG XL picture', { 0: '\0\0\0\x0cJXL ' }],
  ['a JPEG 2000 picture', { 0: '\0\0\0\x0cjP  ' }],
  ['a JPEG 2000 picture', { 0: '\xff\x4f\xff\x51' }],
  ['a Photoshop document', { 0: '8BPS' }],
  ['a PostScript document', { 0: '%!PS' }],
  ['an icon', { 0: '\0\0\x01\0' }],
  ['an icon', { 0: '\0\0\x02\0' }],
  ['an icon', { 0: 'icns' }],
  ['an OpenEXR picture', { 0: '\x76\x2f\x31\x01' }],
  ['a Radiance picture', { 0: '#?RADIANCE' }],
  ['a Matroska or WebM video', { 0: '\x1a\x45\xdf\xa3' }],
  ['an AVI video', { 0: 'RIFF', 8: 'AVI ' }],
  ['an MPEG video', { 0: '\0\0\x01\xba' }],
  ['an MPEG video', { 0: '\0\0\x01\xb3' }],
  ['a recording', { 0: 'RIFF', 8: 'WAVE' }],
  ['a recording', { 0: 'ID3' }],
  ['a recording', { 0: 'OggS' }],
  ['a recording', { 0: 'fLaC' }],
  ['an archive', { 0: 'PK\x03\x04' }],
  ['an archive', { 0: '\x1f\x8b' }],
  ['an archive', { 0: 'Rar!' }],
  ['an archive', { 0: '7z\xbc\xaf' }],
];

/** The boxes of ISO media hold pictures and videos alike; the brands behind `ftyp` tell which. */
function identifyContainer(start: string): PictureFormat {
  const sizeBytes = Buffer.from(start, 'latin1').readUInt32BE(0);
  const brands = (start.slice(8, 12) + start.slice(16, sizeBytes)).match(/.{4}/gs) ?? [];
  if (brands.some((brand) => brand === 'avif' || brand === 'avis')) return 'avif';
  const name = brands.some((brand) => /^(?:hei|hev)/.test(brand)) ? 'a HEIC picture' : 'a video';
  throw refuse(`The file is ${name}, which is not read`);
}

const TEXTS: readonly (readonly [string, RegExp])[] = [
  ['an HTML page', /<(?:!doctype html|html|head|body)\b/i],
  ['an SVG drawing', /<(?:\w+:)?svg\b/i],
  ['an XML document', /^\s*<\?xml/],
  ['a PDF document', /%PDF-/],
  ['a Netpbm picture', /^P[1-7]\s/],
  ['JSON', /^\s*[[{]/],
];

function nameOfText(bytes: Uint8Array): string | undefined {
  // The root element of a drawing may stand behind a long comment or document type.
  const start = decodeText(bytes.subarray(0, 4096));
  const name = TEXTS.find(([, pattern]) => pattern.test(start))?.[0];
  if (name !== undefined) return name;
  const isText =
    [...start].every((one) => one >= ' ' || '\t\r\n\f'.includes(one)) && !start.includes('\ufffd');
  return isText ? 'text' : undefined;
}

function decodeText(bytes: Uint8Array): string {
  const isWide = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (!isWide) return new TextDecoder('utf-8').decode(bytes, { stream: true });
  return new TextDecoder(bytes[0] === 0xff ? 'utf-16le' : 'utf-16be').decode(bytes);
}

function refuse(what: string): AppError {
  return new AppError('unsupported_image', `${what}. Send the picture as ${READ_FORMATS}.`);
}
