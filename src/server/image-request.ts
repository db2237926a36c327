/** What the routes that take images and texts share. */
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import type { Named } from '../vision/service.ts';
import { readImage } from './image-field.ts';
import { keepAlive, optional } from './json-body.ts';

export interface ImageLimits {
  /** Of a JSON body with images. */
  readonly maxRequestBytes: number;
  readonly maxImageBytes: number;
  readonly maxImages: number;
  /** Texts, or labels times templates. */
  readonly maxTexts: number;
}

/** Fields of every such route. */
export const visionFields = {
  model: optional(z.string().min(1), 'A vision model of this server; left out: the configured default.'),
  keep_alive: keepAlive(),
};

/** One or many under one name or two: `image` and `images`, of which one is to be given. Gives the list, each with its place. */
export function oneOrMany(
  names: { readonly one: string; readonly many: string },
  one: string | readonly string[] | undefined,
  many: readonly string[] | undefined,
): Named<string>[] {
  if (one !== undefined && many !== undefined)
    throw new AppError(
      'invalid_request',
      `Both "${names.one}" and "${names.many}" are given; send one of them.`,
      {
        param: names.many,
      },
    );
  if (typeof one === 'string') return [{ name: names.one, value: one }];
  const list = many ?? one;
  if (list === undefined || list.length === 0)
    throw new AppError('invalid_request', `The field "${names.one}" is missing.`, { param: names.one });
  const name = many === undefined ? names.one : names.many;
  return list.map((value, index) => ({ name: `${name}[${index}]`, value }));
}

/** Throws what `readImage` throws, and `invalid_request` for more than may be asked at once. */
export function readImages(fields: readonly Named<string>[], limits: ImageLimits): Named<Uint8Array>[] {
  requireAtMost(fields.length, { most: limits.maxImages, what: 'images', key: 'vision.max_images' });
  return fields.map((field) => readImage(field, limits.maxImageBytes));
}

export function requireTexts(count: number, { maxTexts }: ImageLimits): void {
  requireAtMost(count, { most: maxTexts, what: 'texts', key: 'vision.max_texts' });
}

function requireAtMost(
  count: number,
  { most, what, key }: { readonly most: number; readonly what: string; readonly key: string },
): void {
  if (count <= most) return;
  throw new AppError(
    'invalid_request',
    `There are ${count} ${what}; one request may have ${most} (${key}). Send several.`,
  );
}

/** Milliseconds with a tenth. */
export function toMilliseconds(seconds: number): number {
  return Math.round(seconds * 10_000) / 10;
}
