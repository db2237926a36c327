/** The summaries of parts to one, as many at once as a model can read, in rounds until one is left. */
import { AppError } from '../base/errors.ts';
import type { Json } from '../jobs/task.ts';

export interface Merging {
  /** Whether they can be put together at once. */
  fits(forms: readonly Json[]): Promise<boolean>;
  merge(forms: readonly Json[]): Promise<Json>;
}

/** `forms`: at least one, in the order of the recording. Throws `context_exceeded` where two of them are too many. */
export async function mergeForms(forms: readonly Json[], merging: Merging): Promise<Json> {
  let left = forms;
  while (left.length > 1) {
    const merged: Json[] = [];
    for (const group of await neighbours(left, merging))
      merged.push(group.length === 1 ? group[0]! : await merging.merge(group));
    left = merged;
  }
  return left[0]!;
}

/** Groups that fit, of two at least but for a last one that is left over: each round ends with fewer. */
async function neighbours(forms: readonly Json[], { fits }: Merging): Promise<Json[][]> {
  const groups: Json[][] = [];
  let group: Json[] = [];
  for (const form of forms) {
    if (group.length > 0 && !(await fits([...group, form]))) {
      if (group.length === 1) throw tooLarge();
      groups.push(group);
      group = [];
    }
    group.push(form);
  }
  return [...groups, group];
}

function tooLarge(): AppError {
  return new AppError(
    'context_exceeded',
    'The summaries of two parts of the recording are too long to be put together. Raise language.context_tokens, take a template with shorter fields, or a model with a larger context.',
  );
}
