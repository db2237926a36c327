/** The settings of language models: what each may be, and what it is where nobody says. One table for requests, keys and models. */

export interface SettingRange {
  readonly min: number;
  readonly max: number;
  readonly whole: boolean;
  /** The library default: where neither the request nor the environment, the file or the model says one. */
  readonly fallback: number;
  readonly description: string;
}

/** Ranges are OpenAI's where it has the setting. `maxTokens` ends at what no model of today could hold. */
export const GENERATION_SETTINGS = {
  temperature: number([0, 2], 0.7, 'How freely tokens are drawn; 0 is always the likeliest.'),
  topP: number(
    [0, 1],
    0.95,
    'Tokens are drawn from the likeliest that together have this probability; 1 is all.',
  ),
  topK: whole([0, 1_000_000], 40, 'Tokens are drawn from so many of the likeliest; 0 is all.'),
  minP: number(
    [0, 1],
    0.05,
    'Tokens below this part of the likeliest one’s probability are not drawn; 0 is none.',
  ),
  repeatPenalty: number([0.1, 10], 1, 'Tokens that came lately are divided by it; 1 is none.'),
  frequencyPenalty: number([-2, 2], 0, 'Taken from a token for each time that it came; 0 is none.'),
  presencePenalty: number([-2, 2], 0, 'Taken from every token that came; 0 is none.'),
  maxTokens: whole([1, 10_000_000], 2048, 'Most tokens of one answer.'),
} as const satisfies Readonly<Record<string, SettingRange>>;

type Bounds = readonly [min: number, max: number];

function number([min, max]: Bounds, fallback: number, description: string): SettingRange {
  return { min, max, whole: false, fallback, description };
}

function whole([min, max]: Bounds, fallback: number, description: string): SettingRange {
  return { min, max, whole: true, fallback, description };
}
