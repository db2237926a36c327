/** From the tokens of a text to its words (openai/whisper tokenizer.py, `split_to_word_tokens`; timing.py, `merge_punctuations`). */

/** Languages written without spaces: there every token that completes a character is a word. */
const UNSPACED = new Set(['zh', 'ja', 'th', 'lo', 'my', 'yue']);
/** Python's string.punctuation: each begins a word of its own, until it is merged. */
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
const OPENING = '"\'“¿([{-';
const CLOSING = '"\'.。,，!！?？:：”)]}、';

export interface WordTokens {
  readonly text: string;
  /** How many tokens spell it. */
  readonly tokens: number;
}

/** `pieces` is the text that each token completes (`Tokenizer.pieces`). The words' texts and token counts add up to those given. */
export function splitWords(pieces: readonly string[], language: string): WordTokens[] {
  const words: { text: string; tokens: number }[] = [];
  for (const { text, tokens } of wholeCharacters(pieces)) {
    const last = words.at(-1);
    if (last === undefined || UNSPACED.has(language) || beginsWord(text)) words.push({ text, tokens });
    else {
      last.text += text;
      last.tokens += tokens;
    }
  }
  return words;
}

function beginsWord(text: string): boolean {
  return text.startsWith(' ') || PUNCTUATION.includes(text.trim());
}

/** Tokens that spell one character together count as one; what is left at the end belongs to the last. */
function wholeCharacters(pieces: readonly string[]): WordTokens[] {
  const whole: WordTokens[] = [];
  let tokens = 0;
  for (const text of pieces) {
    tokens += 1;
    if (text === '') continue;
    whole.push({ text, tokens });
    tokens = 0;
  }
  const last = whole.pop();
  if (last !== undefined) whole.push({ text: last.text, tokens: last.tokens + tokens });
  return whole;
}

/** Gives opening marks to the word behind them and closing ones to the word before them; the word keeps its other values. */
export function mergePunctuation<W extends { readonly text: string }>(words: readonly W[]): W[] {
  const opened: W[] = [];
  let before = '';
  for (const [index, word] of words.entries()) {
    if (index + 1 < words.length && opens(word.text)) {
      before += word.text;
    } else {
      opened.push({ ...word, text: before + word.text });
      before = '';
    }
  }
  const merged: W[] = [];
  for (const word of opened) {
    const previous = merged.at(-1);
    if (previous !== undefined && closes(word.text, previous.text))
      merged[merged.length - 1] = { ...previous, text: previous.text + word.text };
    else merged.push(word);
  }
  return merged;
}

/** Space alone is no word either: it goes with what follows it, at the end with what is before it. */
function opens(text: string): boolean {
  return isBlank(text) || (text.startsWith(' ') && OPENING.includes(text.trim()));
}

function closes(text: string, previous: string): boolean {
  return isBlank(text) || (!previous.endsWith(' ') && CLOSING.includes(text));
}

function isBlank(text: string): boolean {
  return text.trim() === '';
}
