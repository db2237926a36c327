/** The tokens a decoding begins with: `<|startofprev|> previous text <|startoftranscript|> <|language|> <|task|>`, and `<|notimestamps|>` where texts have none. */
import type { WhisperBackend } from '../../backends/contract.ts';
import { AppError } from '../../base/errors.ts';
import type { SpeechTask } from '../transcript.ts';
import type { WhisperTokens } from './tokens.ts';

export interface PromptParts {
  readonly previous: readonly number[];
  readonly language: string;
  readonly task: SpeechTask;
}

/** Previous text keeps its last half of the decoder's context, less one (openai/whisper decoding.py). */
export function buildPrompt(
  tokens: WhisperTokens,
  parts: PromptParts,
  { maxTokens, hasTimestamps }: Pick<WhisperBackend, 'maxTokens' | 'hasTimestamps'>,
): number[] {
  const room = Math.floor(maxTokens / 2) - 1;
  const previous = parts.previous.slice(-room);
  const end = hasTimestamps ? [] : [tokens.noTimestamps];
  const start =
    previous.length > 0
      ? [tokens.startOfPrevious, ...previous, tokens.startOfTranscript]
      : [tokens.startOfTranscript];
  if (tokens.languages.size === 0) return [...start, ...end];
  const language = tokens.languages.get(parts.language);
  const task = parts.task === 'translate' ? tokens.translate : tokens.transcribe;
  if (language === undefined || task === undefined)
    throw new Error(`No token for ${parts.language} or ${parts.task}.`);
  return [...start, language, task, ...end];
}

/** Throws `invalid_request` when the model cannot do what is asked. */
export function checkLanguageAndTask(
  tokens: WhisperTokens,
  request: { readonly language: string | undefined; readonly task: SpeechTask; readonly model: string },
): void {
  const { language, task, model } = request;
  const isEnglishOnly = tokens.languages.size === 0;
  if (isEnglishOnly && task === 'translate') {
    throw new AppError(
      'invalid_request',
      `${model} knows English only and cannot translate. Ask for a model without ".en", such as whisper-base.`,
      { param: 'model' },
    );
  }
  if (language === undefined) return;
  if (isEnglishOnly ? language !== 'en' : !tokens.languages.has(language)) {
    const known = isEnglishOnly
      ? 'English only; ask for a model without ".en"'
      : [...tokens.languages.keys()].join(', ');
    throw new AppError(
      'invalid_request',
      `${model} does not know the language "${language}". It knows ${known}.`,
      { param: 'language' },
    );
  }
}
