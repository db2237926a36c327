/** A running median (openai/whisper timing.py, `median_filter`): it removes spikes and keeps edges where they are. */

/** Each value of `row` becomes the median of the `width` (odd) values around it; at the ends the row is mirrored. */
export function medianFilter(row: Float32Array, width: number): Float32Array {
  const half = (width - 1) / 2;
  // A row that is too short to be mirrored is left as it is.
  if (row.length <= half) return row;
  const end = row.length - 1;
  const at = (index: number) => row[index > end ? 2 * end - index : Math.abs(index)]!;
  const filtered = new Float32Array(row.length);
  // The values around the current one, in ascending order.
  const sorted = Float32Array.from({ length: width }, (_, place) => at(place - half)).sort();
  filtered[0] = sorted[half]!;
  for (let index = 1; index <= end; index += 1) {
    replace(sorted, at(index - 1 - half), at(index + half));
    filtered[index] = sorted[half]!;
  }
  return filtered;
}

/** Takes one value out of an ascending row and puts another in, in its place. */
function replace(sorted: Float32Array, old: number, value: number): void {
  let place = 0;
  while (place + 1 < sorted.length && sorted[place] !== old) place += 1;
  for (; place > 0 && sorted[place - 1]! > value; place -= 1) sorted[place] = sorted[place - 1]!;
  for (; place + 1 < sorted.length && sorted[place + 1]! < value; place += 1)
    sorted[place] = sorted[place + 1]!;
  sorted[place] = value;
}
