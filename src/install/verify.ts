/** Checks an installed service end to end: its files, its user, its configuration, and whether it really answers. */
import { AppError } from '../base/errors.ts';
import { lstatIfThere } from './disk.ts';
import { type Finding, fail, warn } from './findings.ts';
import type { Layout } from './layout.ts';
import { type Check, isNotAllowed, openService, type VerifyOptions } from './verified.ts';
import { FILE_CHECKS } from './verify-files.ts';
import { SERVICE_CHECKS } from './verify-service.ts';

/** Whoever does not answer, is somebody else or refuses the key is asked nothing more. */
const LAST_WORDS: ReadonlySet<Finding['id']> = new Set(['no-answer', 'other-program', 'key-refused']);

/** In the order in which one thing needs the other. */
export async function verify(options: VerifyOptions): Promise<readonly Check[]> {
  const verified = await openService(options);
  const checks: Check[] = [];
  const tell = (name: string, findings: readonly Finding[]) => {
    for (const finding of findings) {
      checks.push({ name, ...finding });
      options.onCheck?.({ name, ...finding });
    }
  };
  if (!(await isInstalled(verified.layout)) && options.url === undefined) {
    const { name } = options.service;
    tell('installation', [
      fail('not-installed', `${name} is not installed in ${verified.layout.root}.`, name),
    ]);
    return checks;
  }
  const asks = verified.layout.isLive || options.url !== undefined;
  for (const [name, rule] of Object.entries({ ...FILE_CHECKS, ...(asks ? SERVICE_CHECKS : {}) })) {
    const found = await rule(verified).catch((thrown: unknown) => [notSeen(thrown, options.service.name)]);
    tell(name, found);
    if (found.some(({ id }) => LAST_WORDS.has(id))) break;
  }
  return checks;
}

async function isInstalled(layout: Layout): Promise<boolean> {
  const parts = await Promise.all(
    [layout.unit, layout.program].map((path) => lstatIfThere(layout.onDisk(path))),
  );
  return parts.some((found) => found !== undefined);
}

/** What kept a check from looking. A default model that nobody knows is named by the configuration. */
function notSeen(thrown: unknown, name: string): Finding {
  if (thrown instanceof AppError && thrown.code === 'model_not_found')
    return fail('config-broken', thrown.message, name);
  if (isNotAllowed(thrown))
    return warn('not-seen', `This user may not look: ${(thrown as Error).message}.`, name);
  throw thrown;
}
