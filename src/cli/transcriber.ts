/** What `percept transcribe` asks for, whoever does the work: this machine or a server. */

export const FORMATS = ['text', 'srt', 'vtt', 'json'] as const;
export type Format = (typeof FORMATS)[number];

/** One recording as it was asked for: its text in the wanted format. */
export interface Answer {
  readonly body: string;
  /** Undefined where a server gave subtitles alone. */
  readonly text: string | undefined;
}

/** Turns one file into text. */
export type Transcriber = (path: string, format: Format) => Promise<Answer>;
