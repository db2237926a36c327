/** Whether a cleaned text says what was said: punctuation, case and spaces are free, words are not. */

/**
 * Words that may be missing beside hesitations and repetitions, as a part of all, in the languages of which `KEPT` knows what must not. In a part of
 * less than 34 words it is none.
 */
export const MAX_MISSING = 0.03;
/** Without one of these a sentence says the opposite, or another number; they never go, not even as repetitions. Apostrophes are taken out. */
const KEPT: Readonly<Record<string, RegExp>> = {
  en: /^(not?|nor|none|never|nothing|nobody|nowhere|neither|without|except|unless|hardly|cannot|aint|cant|wont|dont|doesnt|didnt|isnt|arent|wasnt|werent|hasnt|havent|hadnt|couldnt|wouldnt|shouldnt|mustnt|neednt|zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|million|billion|half|quarter|double|triple|point)$/,
};
const NUMBER = /\p{N}/u;
/** Words of a stretch that was said twice in a row. */
const MAX_REPEATED = 4;

/** Sounds that mean nothing in their language; "um" is a word in German and in Portuguese. */
const HESITATIONS: Readonly<Record<string, readonly string[]>> = {
  en: ['um', 'umm', 'uh', 'uhh', 'uhm', 'er', 'erm', 'ah', 'eh'],
  de: ['äh', 'ähm', 'öh', 'öhm', 'eh'],
  fr: ['euh', 'heu', 'beuh'],
  es: ['eh', 'em'],
  vi: ['ờm', 'ừm', 'ờ', 'ơ'],
  zh: ['嗯', '呃'],
  ru: ['э', 'эм', 'ээ'],
};
const HESITATIONS_EVERYWHERE = ['hm', 'hmm', 'mm', 'mmm', 'mhm'];

/**
 * Undefined when `written` has the words of `said` in their order: none added, none replaced (one may be written as two, or two as one),
 * and none left out but hesitations, immediate repetitions and `MAX_MISSING` of the others, of which none turns or counts. Else what is wrong, for the model to mend.
 */
export function changedWords(said: string, written: string, language: string): string | undefined {
  const [before, after] = [wordsOf(said), wordsOf(written)];
  const isHesitation = (word: string) =>
    HESITATIONS_EVERYWHERE.includes(word) || (HESITATIONS[language] ?? []).includes(word);
  const missing: string[] = [];
  for (const { start, dropped, added } of gapsBetween(before, after)) {
    const told = dropped.filter((word) => !isHesitation(word));
    if (added.length > 0) {
      if (isSameSpelling(told, added)) continue;
      return `it has ${quoted(added)} where ${told.length === 0 ? 'nothing' : quoted(told)} was said.`;
    }
    const weighty = told.filter((word) => NUMBER.test(word) || KEPT[language]?.test(word));
    if (weighty.length > 0) return `it leaves out ${quoted(weighty)}.`;
    if (!isRepetition(before, start, dropped.length)) missing.push(...told);
  }
  const share = KEPT[language] === undefined ? 0 : MAX_MISSING;
  if (missing.length <= Math.floor(before.length * share)) return undefined;
  return `it leaves out ${quoted(missing)}.`;
}

/** Scripts that are written without spaces: each character counts as a word. */
const WITHOUT_SPACES =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
/** Numbers with what divides them (1.5 is not 15), words with their apostrophes, and signs that have a meaning or a look of their own. */
const WORD = /\p{N}+(?:[.,:/]\p{N}+)*|[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}\p{N}]+)*|[\p{S}%&@#§*_]/gu;

function wordsOf(text: string): string[] {
  const words = text.normalize('NFKC').toLowerCase().match(WORD) ?? [];
  return words.flatMap((word) => (WITHOUT_SPACES.test(word) ? [...word] : [word.replace(/['’]/g, '')]));
}

interface Gap {
  /** Of the dropped words among those that were said. */
  readonly start: number;
  readonly dropped: readonly string[];
  readonly added: readonly string[];
}

/** What lies between the words of a longest common sequence. */
function gapsBetween(before: readonly string[], after: readonly string[]): Gap[] {
  const width = after.length + 1;
  /** At [i, j]: how many words the texts from word i and j on have in common. Parts have a few hundred words. */
  const common = new Uint16Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i -= 1)
    for (let j = after.length - 1; j >= 0; j -= 1)
      common[i * width + j] =
        before[i] === after[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
  const gaps: Gap[] = [];
  let [i, j] = [0, 0];
  let [start, first] = [0, 0];
  const close = () => {
    if (i > start || j > first)
      gaps.push({ start, dropped: before.slice(start, i), added: after.slice(first, j) });
  };
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) {
      close();
      i += 1;
      j += 1;
      [start, first] = [i, j];
    } else if (common[(i + 1) * width + j]! >= common[i * width + j + 1]!) i += 1;
    else j += 1;
  }
  [i, j] = [before.length, after.length];
  close();
  return gaps;
}

/** "every one" and "everyone"; never numbers, as "1 5" is not "15". */
function isSameSpelling(a: readonly string[], b: readonly string[]): boolean {
  const text = a.join('');
  return text === b.join('') && !NUMBER.test(text);
}

/** Whether the same words stand right before or behind. */
function isRepetition(words: readonly string[], start: number, length: number): boolean {
  if (length > MAX_REPEATED) return false;
  const isEqual = (other: number) =>
    other >= 0 && words.slice(start, start + length).every((word, index) => words[other + index] === word);
  return isEqual(start - length) || isEqual(start + length);
}

const SHOWN = 8;

function quoted(words: readonly string[]): string {
  const shown = words.slice(0, SHOWN).map((word) => word.slice(0, 30));
  return `"${shown.join(' ')}${words.length > SHOWN ? ' …' : ''}"`;
}
