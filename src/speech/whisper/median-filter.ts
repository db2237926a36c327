/** A running median (openai/whisper timing.py, `median_filter`): it removes spikes and keeps edges where they are. */

/** Each value of `row` becomes the median of the `width` (odd) values around it; at the ends the row is mirrored. */
export function medianFilter(row: Float32Array, width: number): Float32Array {
  const half = (width - 1) / 2;
  // A row that is too short to be mirrored is left as it is.
  if (row.length <= half) return row;
  const last = row.length - 1;
  const filtered = new Float32Array(row.length);
  const around = new Float32Array(width);
  for (let at = 0; at < row.length; at += 1) {
    for (let place = 0; place < width; place += 1) {
      const index = Math.abs(at + place - half);
      const value = row[index > last ? 2 * last - index : index]!;
      let sorted = place;
      for (; sorted > 0 && around[sorted - 1]! > value; sorted -= 1) around[sorted] = around[sorted - 1]!;
      around[sorted] = value;
    }
    filtered[at] = around[half]!;
  }
  return filtered;
}
