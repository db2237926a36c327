/** `percept config --model NAME`: how one model generates where a request does not say, and who decided that. */
import { AppError } from '../base/errors.ts';
import { toSnake } from '../config/keys.ts';
import { type ModelFacts, readModelFacts } from '../language/model-facts.ts';
import { configLayer, resolveSettings, SETTING_NAMES } from '../language/settings.ts';
import { catalogueEntry } from '../store/names.ts';
import type { InstalledModel, Store } from '../store/store.ts';
import type { CliContext } from './context.ts';
import { formatTable } from './table.ts';

interface ModelSettings {
  readonly model: string;
  readonly installed: boolean;
  readonly settings: readonly { readonly key: string; readonly value: number; readonly origin: string }[];
  /** What the model says that is not followed. */
  readonly skipped: readonly string[];
}

/** Throws `model_not_found`, `invalid_request` for a model that is no language model, `unsupported_model`. */
export async function printModelSettings(
  name: string,
  { asJson }: { readonly asJson: boolean },
  context: CliContext,
): Promise<void> {
  const found = await settingsOf(name, context);
  if (asJson) {
    context.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
    return;
  }
  const rows = found.settings.map(({ key, value, origin }) => [key, String(value), origin]);
  context.stdout.write(formatTable([['SETTING', 'VALUE', 'FROM'], ...rows]));
  for (const problem of found.skipped) context.stderr.write(`Not followed: ${problem}\n`);
  if (!found.installed)
    context.stderr.write(
      `${found.model} is not installed, so what it says itself is not known here. Install it with \`percept pull ${found.model}\`.\n`,
    );
}

async function settingsOf(name: string, context: CliContext): Promise<ModelSettings> {
  const loaded = context.loadConfig();
  const { models } = loaded.config;
  const store = context.openStore(loaded.config);
  try {
    const { base } = await store.resolve(name, {
      defaultModel: models.speech,
      computeType: models.computeType,
      kinds: ['llm'],
    });
    const installed = await findLanguageModel(base, store);
    const facts: ModelFacts | undefined = installed && (await readModelFacts(installed));
    const { settings, origins } = resolveSettings([configLayer(loaded), ...(facts?.layers ?? [])]);
    return {
      model: base,
      installed: installed !== undefined,
      settings: SETTING_NAMES.map((setting) => ({
        key: toSnake(setting),
        value: settings[setting],
        origin: origins[setting],
      })),
      skipped: facts?.skipped ?? [],
    };
  } finally {
    await store.close();
  }
}

/** Undefined when it is not installed; what a repository of the hub is shows only then. */
async function findLanguageModel(base: string, store: Store): Promise<InstalledModel | undefined> {
  const installed = await store.find(base);
  const kind = installed?.manifest.kind ?? catalogueEntry(base)?.kind ?? 'llm';
  if (kind === 'llm') return installed;
  throw new AppError('invalid_request', `${base} is no language model, so it has no generation settings.`, {
    param: 'model',
  });
}
