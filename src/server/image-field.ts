/** Images in JSON: a data URL or plain base64 to the bytes of a file. Addresses are never fetched: a client must not choose whom a server calls. */
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import type { Named } from '../vision/service.ts';

export const imageField = z
  .string({ error: 'expected an image as a data URL or base64' })
  .min(1)
  .describe('data:image/...;base64,... or plain base64: JPEG, PNG, WebP, GIF, AVIF or TIFF.');

const DATA_URL = /^data:([^,;]*)((?:;[^,;]*)*),/i;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** Longer heads are no media type. */
const MAX_HEAD = 256;

/** Throws `invalid_request`, `unsupported_image` and `image_too_large`, naming the field. */
export function readImage({ name, value }: Named<string>, maxBytes: number): Named<Uint8Array> {
  const invalid = (what: string) => new AppError('invalid_request', what, { param: name });
  if (/^https?:/i.test(value))
    throw invalid(
      'The image is an address, and none is fetched here: send the file, as a data URL or base64.',
    );
  const text = encodedPart(value, name).replace(/\s+/g, '');
  if (text === '') throw new AppError('unsupported_image', 'The image is empty (0 bytes).', { param: name });
  const sizeBytes = Math.floor((text.replace(/=+$/, '').length * 3) / 4);
  if (sizeBytes > maxBytes)
    throw new AppError(
      'image_too_large',
      `The image has ${sizeBytes} bytes; at most ${maxBytes} are read (vision.max_image_bytes). Scale it down.`,
      { param: name },
    );
  if (!BASE64.test(text) || text.replace(/=+$/, '').length % 4 === 1)
    throw invalid('The image is not valid base64: expected data:image/jpeg;base64,... or base64 alone.');
  return { name, value: Buffer.from(text, 'base64') };
}

/** What stands behind the head of a data URL; all of what is none. */
function encodedPart(value: string, name: string): string {
  if (!/^data:/i.test(value)) return value;
  const head = DATA_URL.exec(value.slice(0, MAX_HEAD));
  if (head === null || !/;\s*base64\s*$/i.test(head[2]!))
    throw new AppError(
      'invalid_request',
      'The data URL is broken: expected data:image/jpeg;base64,... with the file behind it.',
      { param: name },
    );
  const [whole, mediaType = ''] = head;
  if (mediaType !== '' && !/^(image\/|application\/octet-stream)/i.test(mediaType))
    throw new AppError('unsupported_image', `The data URL holds ${mediaType}, which is no image.`, {
      param: name,
    });
  return value.slice(whole.length);
}

/** True for what a list of texts and images means as an image. */
export function isImage(value: string): boolean {
  return /^data:image\//i.test(value);
}
