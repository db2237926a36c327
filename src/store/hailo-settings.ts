/** What cannot be told from networks compiled for a Hailo device, and may be said in a `hailo.json` beside them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { AppError } from '../base/errors.ts';

export const HAILO_SETTINGS_FILE = 'hailo.json';

/** Every key has a default. Throws `unsupported_model`, naming the key. */
export function readHailoSettings<Settings>(directory: string, schema: z.ZodType<Settings>): Settings {
  const path = join(directory, HAILO_SETTINGS_FILE);
  const parsed = schema.safeParse(existsSync(path) ? readJson(path) : {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new AppError(
    'unsupported_model',
    `${path}: ${issue?.path.join('.') || 'the whole'}: ${issue?.message}. Correct it in the directory that was imported, and import that again.`,
  );
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new AppError('unsupported_model', `${path} cannot be read as JSON.`, { cause });
  }
}
