/** Dynamic time warping (openai/whisper timing.py, `dtw_cpu`). */

const BOTH = 0;
const NEXT_ROW = 1;
const NEXT_COLUMN = 2;

/**
 * The cheapest way through `cost` [rows × columns], row-major, from its first cell to its last in steps of one row, one column or
 * both. Gives the first column of each row on that way; they never decrease.
 */
export function warp(cost: Float32Array, rows: number): number[] {
  const columns = cost.length / rows;
  const steps = cheapestSteps(cost, rows);
  const first = new Array<number>(rows).fill(0);
  let row = rows - 1;
  let column = columns - 1;
  while (row >= 0 && column >= 0) {
    first[row] = column;
    const step = steps[row * columns + column];
    if (step !== NEXT_COLUMN) row -= 1;
    if (step !== NEXT_ROW) column -= 1;
  }
  return first;
}

/** How each cell is reached most cheaply. Of equal ways along the column is taken first, as there. */
function cheapestSteps(cost: Float32Array, rows: number): Uint8Array {
  const columns = cost.length / rows;
  const steps = new Uint8Array(cost.length);
  let above = new Float32Array(columns).fill(Number.POSITIVE_INFINITY);
  for (let row = 0; row < rows; row += 1) {
    const sums = new Float32Array(columns);
    let left = Number.POSITIVE_INFINITY;
    let corner = row === 0 ? 0 : Number.POSITIVE_INFINITY;
    for (let column = 0; column < columns; column += 1) {
      const up = above[column]!;
      let [step, sum] = [NEXT_COLUMN, left];
      if (corner < up && corner < left) [step, sum] = [BOTH, corner];
      else if (up < corner && up < left) [step, sum] = [NEXT_ROW, up];
      const at = row * columns + column;
      steps[at] = step;
      sums[column] = cost[at]! + sum;
      corner = up;
      left = sums[column]!;
    }
    above = sums;
  }
  return steps;
}
