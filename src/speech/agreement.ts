/**
 * What of a growing speech's text will not change any more: what two successive hearings agree on (LocalAgreement-2, Macháček et
 * al. 2023, "Turning Whisper into Real-Time Transcription System").
 */
export interface Agreement {
  /** What is new and certain with another hearing; may be empty. */
  hear(text: string): string;
  /** What the final text adds, or nothing where it contradicts what was given. */
  finish(text: string): string;
}

/** Text is compared by words; in languages without spaces by the words of a dictionary. */
const SEGMENTER = new Intl.Segmenter('en', { granularity: 'word' });

export function createAgreement(): Agreement {
  /** Given so far. */
  let given = '';
  let before: string[] = [];

  function add(text: string): string {
    if (!text.startsWith(given)) return '';
    const delta = text.slice(given.length);
    given = text;
    return delta;
  }

  return {
    hear(text) {
      const words = Array.from(SEGMENTER.segment(text), ({ segment }) => segment);
      const differs = words.findIndex((word, index) => word !== before[index]);
      const agreed = differs < 0 ? words : words.slice(0, differs);
      before = words;
      const certain = agreed.join('').trimEnd();
      return certain.length > given.length ? add(certain) : '';
    },
    finish: add,
  };
}
