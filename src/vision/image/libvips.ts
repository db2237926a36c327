/** The decoders of libvips behind sharp, set for bytes of strangers. */
import sharp, { type SharpOptions } from 'sharp';
import type { PictureFormat } from './picture-format.ts';

export interface PictureHeader {
  /** As stored, before EXIF turns the picture. */
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  /** libvips' name of a sample's type, such as `uchar`. */
  readonly depth: string;
  /** libvips' name of the colour space. */
  readonly space: string;
  /** Without alpha, and not turned by EXIF. */
  readonly isPlain: boolean;
}

/** A picture of `to` is made and of that the rectangle kept. */
export interface Reduction {
  readonly to: { readonly width: number; readonly height: number };
  readonly kept: {
    readonly left: number;
    readonly top: number;
    readonly width: number;
    readonly height: number;
  };
}

/** `cmyk` is the four inks, and possibly alpha. */
export type Channels = 'rgb' | 'rgba' | 'cmyk';

export interface DecodeRules {
  readonly maxPixels: number;
  readonly timeoutSeconds: number;
  readonly channels: Channels;
  /** By libvips' own cubic filter, of a JPEG that is decoded at a half, a quarter or an eighth; for plain pictures only. */
  readonly reduction?: Reduction;
}

export interface Samples {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** [height × width × channels] */
  readonly data: Uint8Array;
}

/** From the header alone; nothing is decoded. Throws what libvips says. */
export async function readHeader(bytes: Uint8Array): Promise<PictureHeader> {
  // The caller's limit of pixels has a message of its own.
  const { width, height, pages, depth, space, hasAlpha, orientation } = await sharp(bytes, {
    ...STRICT,
    limitInputPixels: false,
  }).metadata();
  const isPlain = !hasAlpha && (orientation ?? 1) === 1;
  return { width, height, frames: pages ?? 1, depth, space, isPlain };
}

/** The first frame, turned as EXIF says, 8 bits a sample. Throws what libvips says. */
export async function decodeSamples(bytes: Uint8Array, rules: DecodeRules): Promise<Samples> {
  const input = sharp(bytes, {
    ...STRICT,
    limitInputPixels: rules.maxPixels,
    autoOrient: rules.reduction === undefined,
  });
  // Without a pipeline in CMYK, a profile of libvips' own would turn inks into light.
  const coloured =
    rules.channels === 'cmyk'
      ? input.pipelineColourspace('cmyk').toColourspace('cmyk')
      : rules.channels === 'rgba'
        ? input.ensureAlpha()
        : input.removeAlpha();
  if (rules.reduction !== undefined) {
    const { to, kept } = rules.reduction;
    // Shrinking further while decoding would save half of the rest, at twice the difference; with WebP it is far off.
    coloured
      .resize(to.width, to.height, { fit: 'fill', kernel: 'cubic', fastShrinkOnLoad: false })
      .extract(kept);
  }
  const timed = coloured.timeout({ seconds: rules.timeoutSeconds });
  const { data, info } = await timed.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: info.channels, data };
}

const LOADERS: Readonly<Record<PictureFormat, string>> = {
  jpeg: 'VipsForeignLoadJpegBuffer',
  png: 'VipsForeignLoadPngBuffer',
  webp: 'VipsForeignLoadWebpBuffer',
  gif: 'VipsForeignLoadNsgifBuffer',
  avif: 'VipsForeignLoadHeifBuffer',
  tiff: 'VipsForeignLoadTiffBuffer',
};

let isRestricted = false;

/**
 * A second fence behind `identifyPicture`, one thread for each picture, and no memory kept between two. All of it holds for the whole
 * process, and every loader is blocked for a moment: for the thread that starts others, before it does.
 */
export function restrictLibvips(): void {
  if (isRestricted) return;
  isRestricted = true;
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: Object.values(LOADERS) });
  sharp.cache(false);
  sharp.concurrency(1);
}

/** A warning means damage: pixels that the decoder had to invent. Profiles are not applied, as Pillow does not either. */
const STRICT: SharpOptions = { failOn: 'warning', ignoreIcc: true, unlimited: false };
