/**
 * The summary templates that can be asked for: ours, and those of the operator, which take the place of ours by name. Files are looked at
 * anew at each question, so a change counts from the next one; only what has changed is read.
 */
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { nearestNames } from '../base/nearest.ts';
import { compilePrompt, type Prompt } from './prompts.ts';
import { readTemplate, type Template, type TemplateSource } from './read-template.ts';
import { type FoundFile, type FoundFiles, findTemplateFiles, readTemplateFile } from './template-files.ts';
import type { Tools } from './tools.ts';

export interface Templates {
  /** Those that can be asked for, by id; broken ones are left out, and the log has told of them. */
  list(): Promise<readonly Template[]>;
  /** Those that cannot, and why. */
  broken(): Promise<readonly BrokenTemplate[]>;
  /** Throws `missing_template` for an id that is left out or unknown, `invalid_template` for one that is broken. */
  get(id: string | undefined): Promise<Template>;
  /** A prompt that belongs to no template, such as `text_enhancement_v1`. Throws `invalid_template` for a broken one of the operator. */
  prompt(name: OwnPrompt): Promise<Prompt>;
}

export interface BrokenTemplate {
  readonly id: string;
  readonly reason: string;
}

export interface TemplatesParts {
  /** Folders: what comes with Percept, and the operator's own. */
  readonly ours: string;
  readonly yours: string;
  readonly checkSchema: Tools['checkSchema'];
  readonly logger: Logger;
}

export const OWN_PROMPTS = [
  'text_enhancement_v1',
  'generic_v1',
  'summary_part_v1',
  'summary_merge_v1',
] as const;
export type OwnPrompt = (typeof OWN_PROMPTS)[number];
/** Of templates that have none. */
const GENERIC: OwnPrompt = 'generic_v1';

type Read = { readonly template: Template } | { readonly reason: string };

interface Folders {
  readonly ours: FoundFiles;
  readonly yours: FoundFiles;
}

/** Reads nothing until it is asked. */
export function createTemplates({ ours, yours, checkSchema, logger }: TemplatesParts): Templates {
  /** What was read of each id, with the stamps of the files that it came from. */
  let known = new Map<string, { readonly stamp: string; readonly read: Read }>();
  let toldOf = new Set<string>();
  /** Looks come one after the other, so that each sees all that was there when it was asked for. */
  let last: Promise<unknown> = Promise.resolve();

  function look(): Promise<ReadonlyMap<string, Read>> {
    const next = last.then(readChanges);
    last = next.catch(() => {});
    return next;
  }

  async function readChanges(): Promise<ReadonlyMap<string, Read>> {
    const folders = await findFolders();
    const fresh: typeof known = new Map();
    for (const source of sourcesOf(folders)) {
      const stamp = [source.schema, source.prompt].map((file) => `${file.path} ${file.stamp}`).join('\n');
      const before = known.get(source.id);
      const read = before?.stamp === stamp ? before.read : await readOne(source);
      fresh.set(source.id, { stamp, read });
    }
    known = fresh;
    tellOfMisnamed(folders.yours.misnamed);
    return new Map([...fresh].map(([id, { read }]) => [id, read]));
  }

  async function readOne(source: TemplateSource): Promise<Read> {
    try {
      return { template: await readTemplate(source, checkSchema) };
    } catch (thrown) {
      // Schemas could not be checked at all: that says nothing of the template.
      if (thrown instanceof AppError) throw thrown;
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      logger.warn({ template: source.id, reason }, 'a summary template is broken and cannot be asked for');
      return { reason };
    }
  }

  function tellOfMisnamed(paths: readonly string[]): void {
    for (const path of paths.filter((path) => !toldOf.has(path)))
      logger.warn({ path }, 'a template is passed over: names have lower-case letters, digits, "_" and "-"');
    toldOf = new Set(paths);
  }

  async function findFolders(): Promise<Folders> {
    return { ours: await findTemplateFiles(ours), yours: await findTemplateFiles(yours) };
  }

  return {
    async list() {
      return [...(await look()).values()].flatMap((read) => ('template' in read ? [read.template] : []));
    },
    async broken() {
      return [...(await look())].flatMap(([id, read]) =>
        'reason' in read ? [{ id, reason: read.reason }] : [],
      );
    },
    async get(id) {
      const found = await look();
      const read = id === undefined ? undefined : found.get(id);
      if (read === undefined) throw missing(id, found);
      if ('template' in read) return read.template;
      throw invalid(id!, read.reason);
    },
    async prompt(name) {
      const file = promptFile(await findFolders(), name);
      try {
        const prompt = compilePrompt(name, await readTemplateFile(file));
        const said = 'What was said, 7f3a.';
        const text = prompt.render({ transcript: said, prompt: said, forms: [said] });
        if (!text.includes(said)) throw new Error('it nowhere says what it is about');
        return prompt;
      } catch (thrown) {
        throw invalid(`prompts/${name}.jinja`, thrown instanceof Error ? thrown.message : String(thrown));
      }
    },
  };
}

/** By id. A template of the operator's has a prompt of the operator's, or the generic one; never that of ours, whose fields are others. */
function sourcesOf(folders: Folders): TemplateSource[] {
  const { ours, yours } = folders;
  const ids = [...new Set([...ours.schemas.keys(), ...yours.schemas.keys()])].sort();
  return ids.map((id) => {
    const own = yours.schemas.get(id);
    const schema = own ?? ours.schemas.get(id)!;
    const prompt = yours.prompts.get(id) ?? (own === undefined ? ours.prompts.get(id) : undefined);
    return {
      id,
      schema,
      prompt: prompt ?? promptFile(folders, GENERIC),
      promptName: prompt === undefined ? GENERIC : id,
      isOurs: own === undefined,
    };
  });
}

function promptFile({ ours, yours }: Folders, name: OwnPrompt): FoundFile {
  return yours.prompts.get(name) ?? ours.prompts.get(name)!;
}

function missing(id: string | undefined, found: ReadonlyMap<string, Read>): AppError {
  const ids = [...found].filter(([, read]) => 'template' in read).map(([name]) => name);
  const [near] = id === undefined ? [] : nearestNames(id.slice(0, 64), ids, 1);
  const what =
    id === undefined
      ? 'A summary needs a template.'
      : `There is no template ${JSON.stringify(id.slice(0, 64))}.`;
  const hint = near === undefined ? '' : ` Did you mean ${near}?`;
  return new AppError('missing_template', `${what}${hint} There are: ${ids.join(', ') || 'none'}.`, {
    param: 'template_id',
  });
}

function invalid(id: string, reason: string): AppError {
  return new AppError(
    'invalid_template',
    `The template ${id} cannot be used: ${reason.replace(/\.$/, '')}.`,
    {
      param: 'template_id',
    },
  );
}
