/** How the pictures that a model was trained on were brought to its size, as its files tell. */
import { z } from 'zod';
import { AppError } from '../../base/errors.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** To this length of the shorter edge, keeping the shape; or to this size, whatever the shape; or not at all. */
export type ResizeRule = { readonly shortestEdge: number } | Size | 'none';

/** What is cut out of the middle, with zeros around where the picture is smaller: what the model sees. */
export interface Crop extends Size {
  /** Where the middle is, when the margins differ by a pixel: transformers rounds down, torchvision to even. */
  readonly centre: 'floor' | 'even';
}

export type Resample = 'bicubic' | 'bilinear';

/** Of red, green and blue. */
export type Channels = readonly [number, number, number];

export interface Preprocessing {
  readonly resize: ResizeRule;
  readonly crop: Crop;
  readonly resample: Resample;
  /** Of values between 0 and 1. */
  readonly mean: Channels;
  readonly std: Channels;
}

/** What OpenAI's models were trained with, and what every library takes when a model's files do not say. */
const OPENAI_MEAN: Channels = [0.48145466, 0.4578275, 0.40821073];
const OPENAI_STD: Channels = [0.26862954, 0.26130258, 0.27577711];

/** For a CLIP model without a file about it; `imageSize` is that of its vision configuration. */
export function clipPreprocessing(imageSize: number): Preprocessing {
  return Object.freeze<Preprocessing>({
    resize: { shortestEdge: imageSize },
    crop: { width: imageSize, height: imageSize, centre: 'floor' },
    resample: 'bicubic',
    mean: OPENAI_MEAN,
    std: OPENAI_STD,
  });
}

/**
 * Reads the content of a `preprocessor_config.json` of CLIP or SigLIP, old or new, or of an `open_clip_config.json`.
 * Throws `unsupported_model`, naming the key, for what cannot be done here as it was done there.
 */
export function readPreprocessing(json: unknown): Preprocessing {
  if (typeof json === 'object' && json !== null && 'preprocess_cfg' in json) return readOpenClip(json);
  const config = parse(huggingFace, json);
  const isSiglip = config.image_processor_type?.startsWith('Siglip') ?? false;
  const { resize, crop } = isSiglip ? siglipSizes(config) : clipSizes(config);
  const isNormalised = config.do_normalize ?? true;
  return Object.freeze<Preprocessing>({
    resize,
    crop: Object.freeze<Crop>({ ...crop, centre: 'floor' }),
    resample: config.resample === 2 ? 'bilinear' : 'bicubic',
    mean: isNormalised ? (config.image_mean ?? (isSiglip ? [0.5, 0.5, 0.5] : OPENAI_MEAN)) : [0, 0, 0],
    std: isNormalised ? (config.image_std ?? (isSiglip ? [0.5, 0.5, 0.5] : OPENAI_STD)) : [1, 1, 1],
  });
}

/** Larger than any model's, which have up to 1024; the memory of a batch grows with its square. */
const MAX_EDGE = 2048;

const edge = z.int().min(1).max(MAX_EDGE);
const channels = z.tuple([z.number(), z.number(), z.number()]).readonly();
const positives = z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]).readonly();
const rectangle = z.object({ height: edge, width: edge });
const size = z.union([edge, z.strictObject({ shortest_edge: edge }), rectangle]);
type SizeField = z.infer<typeof size>;

/** The fast variants do the same on tensors. */
const PROCESSORS = [
  'CLIPImageProcessor',
  'CLIPImageProcessorFast',
  'CLIPFeatureExtractor',
  'SiglipImageProcessor',
  'SiglipImageProcessorFast',
] as const;

const huggingFace = z
  .looseObject({
    image_processor_type: z.enum(PROCESSORS).optional(),
    feature_extractor_type: z.enum(PROCESSORS).optional(),
    do_resize: z.boolean().optional(),
    size: size.optional(),
    do_center_crop: z.boolean().nullish(),
    crop_size: z.union([edge, rectangle]).nullish(),
    resample: z.literal([2, 3], 'only 2 (bilinear) and 3 (bicubic) can be run').optional(),
    do_rescale: z.literal(true).optional(),
    // Files have it as a decimal fraction of more or fewer digits.
    rescale_factor: z
      .number()
      .refine((factor) => Math.abs(factor * 255 - 1) < 1e-6, 'only 1/255 can be run')
      .optional(),
    do_normalize: z.boolean().optional(),
    image_mean: channels.optional(),
    image_std: positives.optional(),
  })
  .transform(({ feature_extractor_type, image_processor_type, ...fields }) => ({
    ...fields,
    image_processor_type: image_processor_type ?? feature_extractor_type,
  }));
type HuggingFace = z.infer<typeof huggingFace>;

interface Sizes {
  readonly resize: ResizeRule;
  readonly crop: Size;
}

function clipSizes(config: HuggingFace): Sizes {
  const resize = config.do_resize === false ? 'none' : resizeRule(config.size ?? 224);
  if (config.do_center_crop ?? true) return { resize, crop: square(config.crop_size ?? 224) };
  if (typeof resize === 'object' && 'width' in resize) return { resize, crop: resize };
  throw refuse('do_center_crop: without it, pictures of different shapes come out at different sizes');
}

/** SigLIP never crops: pictures lose their shape. A number is the edge of a square. */
function siglipSizes(config: HuggingFace): Sizes {
  const wanted = config.size ?? 224;
  if (config.do_resize === false || (typeof wanted === 'object' && 'shortest_edge' in wanted)) {
    throw refuse('size: this processor needs a height and a width');
  }
  return { resize: square(wanted), crop: square(wanted) };
}

function resizeRule(field: SizeField): ResizeRule {
  if (typeof field === 'number') return { shortestEdge: field };
  return 'shortest_edge' in field ? { shortestEdge: field.shortest_edge } : square(field);
}

function square(field: number | Size): Size {
  return typeof field === 'number'
    ? { width: field, height: field }
    : { width: field.width, height: field.height };
}

const openClipSize = z.union([edge, z.tuple([edge, edge])]);
const openClip = z.looseObject({
  preprocess_cfg: z.looseObject({
    size: openClipSize.optional(),
    mean: channels.optional(),
    std: positives.optional(),
    interpolation: z.enum(['bicubic', 'bilinear']).optional(),
    resize_mode: z.enum(['shortest', 'squash']).optional(),
  }),
  model_cfg: z.looseObject({ vision_cfg: z.looseObject({ image_size: openClipSize.optional() }) }).optional(),
});

/** open_clip's own defaults: bicubic, the shortest edge, OpenAI's values; sizes are height before width. */
function readOpenClip(json: object): Preprocessing {
  const { preprocess_cfg: config, model_cfg } = parse(openClip, json);
  const wanted = config.size ?? model_cfg?.vision_cfg.image_size ?? 224;
  const [height, width] = typeof wanted === 'number' ? [wanted, wanted] : wanted;
  const isSquashed = config.resize_mode === 'squash';
  if (!isSquashed && height !== width) {
    throw refuse('preprocess_cfg.size: only squares can be cut from a picture of the same shortest edge');
  }
  return Object.freeze<Preprocessing>({
    resize: isSquashed ? { width, height } : { shortestEdge: width },
    crop: Object.freeze<Crop>({ width, height, centre: 'even' }),
    resample: config.interpolation ?? 'bicubic',
    mean: config.mean ?? OPENAI_MEAN,
    std: config.std ?? OPENAI_STD,
  });
}

function parse<T>(schema: z.ZodType<T>, json: unknown): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refuse(`${issue?.path.join('.') || 'the whole'}: ${issue?.message}`);
}

function refuse(what: string): AppError {
  return new AppError(
    'unsupported_model',
    `The model's pictures are prepared in a way that cannot be run: ${what}. Take a CLIP or SigLIP checkpoint with the ` +
      'usual preprocessor_config.json.',
  );
}
