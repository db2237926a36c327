/** Entry of the thread of schemas. Gets `SchemaTask`s, sends a `SchemaAnswer` for each, and one when it is ready. */
import { parentPort } from 'node:worker_threads';
import { toWireError } from '../../base/errors.ts';
import { compileSchema } from './compile-schema.ts';
import { createRecent } from './recent.ts';
import type { SchemaAnswer, SchemaTask } from './schema-thread.ts';
import { createValidator, type Problem } from './validate-value.ts';

/** A validator is some kilobytes of code. */
const VALIDATORS = 50;

const port = parentPort!;
const validators = createRecent<(value: unknown) => Problem | undefined>(VALIDATORS);

function validatorOf(schemaText: string): (value: unknown) => Problem | undefined {
  return validators.get(schemaText) ?? validators.set(schemaText, createValidator(JSON.parse(schemaText)));
}

function answer(task: SchemaTask): SchemaAnswer {
  try {
    if (task.kind === 'validate') return { problem: validatorOf(task.schema)(JSON.parse(task.value)) };
    const compiled = compileSchema(JSON.parse(task.schema), task.options);
    // What cannot be validated afterwards is refused now, before a text is written.
    validatorOf(task.schema);
    return { compiled };
  } catch (thrown) {
    return { error: toWireError(thrown) };
  }
}

port.on('message', (task: SchemaTask) => port.postMessage(answer(task)));
port.postMessage({});
