/** A transcript as text, SubRip, WebVTT and OpenAI's verbose JSON. */
import { languageName } from './languages.ts';
import type { Segment, Transcript } from './transcript.ts';

export function toText(transcript: Transcript): string {
  return `${transcript.text}\n`;
}

/** SubRip: numbered cues, `HH:MM:SS,mmm`. */
export function toSrt(transcript: Transcript): string {
  const cues = transcript.segments.map(
    (segment, index) => `${index + 1}\n${cueTimes(segment, ',')}\n${cueText(segment.text)}\n`,
  );
  return cues.join('\n');
}

/** WebVTT (https://www.w3.org/TR/webvtt1): `HH:MM:SS.mmm`, and `&`, `<` and `>` escaped, since cue text is markup. */
export function toVtt(transcript: Transcript): string {
  const cues = transcript.segments.map((segment) => {
    const text = cueText(segment.text)
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;');
    return `${cueTimes(segment, '.')}\n${text}\n`;
  });
  return ['WEBVTT\n', ...cues].join('\n');
}

/** What OpenAI bills: whole seconds of audio. */
export function usageOf(transcript: Transcript) {
  return { type: 'duration', seconds: Math.ceil(transcript.durationSeconds) };
}

/** The encoder's positions: a window of 30 s has 1500. */
const AUDIO_TOKENS_PER_SECOND = 50;

/** What the events of a stream count: the audio as the encoder's positions, the text as the decoder's tokens, timestamps included. */
export function tokenUsageOf(transcript: Transcript) {
  const input = Math.ceil(transcript.durationSeconds * AUDIO_TOKENS_PER_SECOND);
  const output = transcript.segments.reduce((sum, segment) => sum + segment.tokens.length, 0);
  return { type: 'tokens', input_tokens: input, output_tokens: output, total_tokens: input + output };
}

/** What the verbose form gives the times of. */
export const GRANULARITIES = ['segment', 'word'] as const;
export type Granularity = (typeof GRANULARITIES)[number];

/**
 * OpenAI's verbose form: the language of the text by its English name, every segment with its ten keys, every word without the
 * space before it. What is not among the granularities is left out.
 */
export function toVerboseJson(transcript: Transcript, granularities: readonly Granularity[] = ['segment']) {
  const { segments } = transcript;
  return {
    task: transcript.task,
    // A translation is in English, whatever was spoken.
    language: transcript.task === 'translate' ? 'english' : languageName(transcript.language),
    duration: transcript.durationSeconds,
    text: transcript.text,
    ...(granularities.includes('segment') ? { segments: segments.map(toVerboseSegment) } : {}),
    ...(granularities.includes('word') ? { words: segments.flatMap(toVerboseWords) } : {}),
    usage: usageOf(transcript),
  };
}

function toVerboseSegment(segment: Segment) {
  return {
    id: segment.id,
    seek: segment.seek,
    start: segment.startSeconds,
    end: segment.endSeconds,
    text: segment.text,
    tokens: segment.tokens,
    temperature: segment.temperature,
    avg_logprob: segment.avgLogprob,
    compression_ratio: segment.compressionRatio,
    no_speech_prob: segment.noSpeechProb,
  };
}

function toVerboseWords({ words = [] }: Segment) {
  return words.map((word) => ({ word: word.text.trim(), start: word.startSeconds, end: word.endSeconds }));
}

/** An empty line would end the cue, and `-->` would begin the next. */
function cueText(text: string): string {
  return text
    .trim()
    .replace(/\s*\n\s*/g, ' ')
    .replaceAll('-->', '->');
}

function cueTimes({ startSeconds, endSeconds }: Segment, decimal: ',' | '.'): string {
  return `${clockTime(startSeconds, decimal)} --> ${clockTime(endSeconds, decimal)}`;
}

function clockTime(seconds: number, decimal: ',' | '.'): string {
  const milliseconds = Math.round(seconds * 1000);
  const part = (value: number, width: number) => String(value).padStart(width, '0');
  const hours = part(Math.floor(milliseconds / 3_600_000), 2);
  const minutes = part(Math.floor(milliseconds / 60_000) % 60, 2);
  return `${hours}:${minutes}:${part(Math.floor(milliseconds / 1000) % 60, 2)}${decimal}${part(milliseconds % 1000, 3)}`;
}
