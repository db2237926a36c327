/** Which part of a picture a model sees, and how large: one axis at a time. */
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
