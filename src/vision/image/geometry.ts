/** Which part of a picture a model sees, and how large: one axis at a time. */
import type { Reduction } from './libvips.ts';
import type { Crop, Preprocessing, Size } from './preprocessing.ts';

/** A line of `from` pixels becomes one of `to`, of which `count` beginning at `first` are wanted. */
export interface Axis {
  readonly from: number;
  readonly to: number;
  readonly first: number;
  readonly count: number;
  /** Zeros before them in the crop; behind them, up to its length. */
  readonly padding: number;
}

export interface Geometry {
  readonly horizontal: Axis;
  readonly vertical: Axis;
}

export function geometryOf(size: Size, { resize, crop }: Preprocessing): Geometry {
  const resized = resizedSize(size, resize);
  return {
    horizontal: { from: size.width, ...cut(resized.width, crop.width, crop) },
    vertical: { from: size.height, ...cut(resized.height, crop.height, crop) },
  };
}

/** The whole way in one step, for a picture that at least halves along both axes and fills the crop; nothing for others. */
export function reductionOf(size: Size, preprocessing: Preprocessing): Reduction | undefined {
  const { horizontal, vertical } = geometryOf(size, preprocessing);
  const isReduced = [horizontal, vertical].every(({ from, to, count }, axis) => {
    const wanted = axis === 0 ? preprocessing.crop.width : preprocessing.crop.height;
    return from >= to * 2 && count === wanted;
  });
  if (!isReduced) return undefined;
  return {
    to: { width: horizontal.to, height: vertical.to },
    kept: { left: horizontal.first, top: vertical.first, width: horizontal.count, height: vertical.count },
  };
}

/** As transformers' `get_resize_output_image_size` and torchvision's `Resize`: the longer edge is cut off, never rounded. */
function resizedSize({ width, height }: Size, rule: Preprocessing['resize']): Size {
  if (rule === 'none') return { width, height };
  if ('width' in rule) return rule;
  const { shortestEdge } = rule;
  return width <= height
    ? { width: shortestEdge, height: Math.trunc((shortestEdge * height) / width) }
    : { width: Math.trunc((shortestEdge * width) / height), height: shortestEdge };
}

function cut(length: number, wanted: number, { centre }: Crop): Omit<Axis, 'from'> {
  if (length < wanted) {
    // Where the margins differ, transformers has the wider one before the picture, torchvision behind it.
    const margin = (wanted - length) / 2;
    const padding = centre === 'floor' ? Math.ceil(margin) : Math.floor(margin);
    return { to: length, first: 0, count: length, padding };
  }
  const margin = (length - wanted) / 2;
  const first = centre === 'floor' ? Math.floor(margin) : halfToEven(margin);
  return { to: length, first, count: wanted, padding: 0 };
}

/** Python's `round` of a multiple of one half. */
function halfToEven(value: number): number {
  const below = Math.floor(value);
  return value === below || below % 2 === 0 ? below : below + 1;
}
