/** Numbers between -1 and 1 without pattern, the same for a seed every time (a linear congruential generator, Numerical Recipes). */
export function noise(length: number, seed: number): Float32Array {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  // Neighbouring seeds begin alike.
  for (let turn = 0; turn < 8; turn += 1) next();
  return Float32Array.from({ length }, next);
}
