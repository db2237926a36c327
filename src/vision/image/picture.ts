/** Bytes of a stranger to pixels, the same that Pillow's `exif_transpose` and `convert("RGB")` give, but for 16-bit grey. */
import { throwIfAborted } from '../../base/abort.ts';
import { AppError } from '../../base/errors.ts';
import { cmykToRgb } from './cmyk.ts';
import { fillFirstFrame } from './gif.ts';
import {
  type Channels,
  type DecodeRules,
  decodeSamples,
  type PictureHeader,
  type Reduction,
  readHeader,
} from './libvips.ts';
import { identifyPicture, type PictureFormat, READ_FORMATS } from './picture-format.ts';
import type { Size } from './preprocessing.ts';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** RGB, [height × width × 3] */
  readonly data: Uint8Array;
}

export interface PictureLimits {
  readonly maxPixels: number;
  readonly maxFrames: number;
  readonly decodeTimeoutSeconds: number;
}

/** 100 megapixels are 300 MB decoded. */
export const DEFAULT_LIMITS: PictureLimits = { maxPixels: 100e6, maxFrames: 1000, decodeTimeoutSeconds: 20 };

/**
 * The first frame of a picture. Alpha is dropped and the colour under it kept; profiles are not applied.
 *
 * Throws `unsupported_image`, `image_too_large`, `timeout` or `cancelled`.
 */
export async function decodePicture(
  bytes: Uint8Array,
  limits: PictureLimits,
  signal?: AbortSignal,
): Promise<Picture> {
  const { format, header } = await examinePicture(bytes, limits, signal);
  const channels = channelsOf(header, format);
  const samples = await decodeSamples(bytes, { ...rulesOf(limits), channels }).catch(refuseDamage);
  throwIfAborted(signal);
  if (channels === 'cmyk') return { ...samples, data: cmykToRgb(samples.data, samples.channels) };
  if (channels === 'rgba') return { ...samples, data: fillFirstFrame(bytes, samples) };
  return samples;
}

/**
 * The same made smaller by libvips, as `reductionOf` says by its size: not the pixels of Pillow, but a fifth of a level off in the mean (in
 * fine print and noise up to eleven), in a third of the time where the picture is large. Nothing where that would go wrong: with alpha,
 * turned, in inks, in 16 bits, or as GIF.
 */
export async function decodeReduced(
  bytes: Uint8Array,
  { limits, reductionOf }: { limits: PictureLimits; reductionOf(size: Size): Reduction | undefined },
  signal?: AbortSignal,
): Promise<Picture | undefined> {
  const { format, header } = await examinePicture(bytes, limits, signal);
  const isSimple = header.isPlain && header.depth === 'uchar' && channelsOf(header, format) === 'rgb';
  const reduction = isSimple ? reductionOf(header) : undefined;
  if (reduction === undefined) return undefined;
  const samples = await decodeSamples(bytes, { ...rulesOf(limits), channels: 'rgb', reduction }).catch(
    refuseDamage,
  );
  throwIfAborted(signal);
  return samples;
}

async function examinePicture(
  bytes: Uint8Array,
  limits: PictureLimits,
  signal: AbortSignal | undefined,
): Promise<{ format: PictureFormat; header: PictureHeader }> {
  throwIfAborted(signal);
  const format = identifyPicture(bytes);
  const header = await readHeader(bytes).catch(refuseDamage);
  requireLimits(header, limits);
  requireKnownSamples(header);
  throwIfAborted(signal);
  return { format, header };
}

function rulesOf({ maxPixels, decodeTimeoutSeconds }: PictureLimits): Omit<DecodeRules, 'channels'> {
  return { maxPixels, timeoutSeconds: decodeTimeoutSeconds };
}

/** As long as JPEG and GIF can be, in pixels. The memory of a resize grows with the longest edge, which other formats leave open. */
const MAX_EDGE = 65_535;

function requireLimits({ width, height, frames }: PictureHeader, limits: PictureLimits): void {
  if (Math.max(width, height) > MAX_EDGE) {
    throw new AppError(
      'image_too_large',
      `The picture has ${width} x ${height} pixels; an edge may have at most ${MAX_EDGE}. Scale it down, or cut it.`,
    );
  }
  if (width * height > limits.maxPixels) {
    throw new AppError(
      'image_too_large',
      `The picture has ${width} x ${height} pixels; at most ${limits.maxPixels} are read. Scale it down.`,
    );
  }
  if (frames > limits.maxFrames) {
    throw new AppError(
      'image_too_large',
      `The picture has ${frames} frames; at most ${limits.maxFrames} are read, and only the first is looked at. Send that alone.`,
    );
  }
}

const KNOWN_DEPTHS = ['uchar', 'ushort'];
const KNOWN_SPACES = ['srgb', 'rgb', 'rgb16', 'b-w', 'grey16', 'cmyk'];

/** Numbers of 32 bits or colours of a laboratory have no one right picture. */
function requireKnownSamples({ depth, space }: PictureHeader): void {
  if (KNOWN_DEPTHS.includes(depth) && KNOWN_SPACES.includes(space)) return;
  throw unsupported(
    `The picture has samples of the type ${depth} in the colour space ${space}; 8 or 16 bits of grey, RGB or CMYK are read`,
  );
}

/** Decoders keep the colour under transparency, but for that of GIF. */
function channelsOf({ space }: PictureHeader, format: PictureFormat): Channels {
  if (space === 'cmyk') return 'cmyk';
  return format === 'gif' ? 'rgba' : 'rgb';
}

function refuseDamage(thrown: unknown): never {
  const said = thrown instanceof Error ? thrown.message : String(thrown);
  if (/timeout:/.test(said)) {
    throw new AppError('timeout', 'Decoding the picture took too long. Send a smaller one.', {
      cause: thrown,
    });
  }
  if (/exceeds pixel limit/.test(said)) {
    throw new AppError('image_too_large', 'The picture has more pixels than are read. Scale it down.', {
      cause: thrown,
    });
  }
  const detail = /failOn/.test(said) ? '' : ` (${said.trim().split('\n')[0]})`;
  throw unsupported(`The picture is damaged or incomplete${detail}`, thrown);
}

function unsupported(what: string, cause?: unknown): AppError {
  return new AppError(
    'unsupported_image',
    `${what}. Check that it opens elsewhere, or save it again as ${READ_FORMATS}.`,
    { cause },
  );
}
