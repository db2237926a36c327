/** Prompt ensembles (OpenAI's CLIP, "Prompt engineering for zero-shot"): a label in several sentences stands better than in one. */
import type { Named } from '../service.ts';

/** What a template puts the label in the place of. */
export const LABEL_PLACE = '{}';

/** The label itself where there are no templates. */
export function promptsOf({ name, value }: Named<string>, templates: readonly string[]): Named<string>[] {
  if (templates.length === 0) return [{ name, value }];
  // A function, since a label may hold what `replaceAll` takes for a pattern.
  return templates.map((template) => ({ name, value: template.replaceAll(LABEL_PLACE, () => value) }));
}

/** The means of `each` embeddings that stand behind one another, at length 1 again. */
export function averagePrompts(embeddings: readonly Float32Array[], each: number): readonly Float32Array[] {
  if (each === 1) return embeddings;
  return Array.from({ length: embeddings.length / each }, (_, label) =>
    mean(embeddings.slice(label * each, (label + 1) * each)),
  );
}

function mean(rows: readonly Float32Array[]): Float32Array {
  const sum = new Float32Array(rows[0]!.length);
  for (const row of rows) for (const [index, value] of row.entries()) sum[index]! += value;
  const length = Math.hypot(...sum) || 1;
  return sum.map((value) => value / length);
}
