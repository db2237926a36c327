/** What holds for every transcript of English speech, whatever was heard. */
import assert from 'node:assert/strict';
import type { Transcript } from '../../src/speech/transcript.ts';

/** Segments join to the text, and their times never go back nor leave the recording. */
export function assertSound(transcript: Transcript): void {
  const { segments, durationSeconds, text } = transcript;
  assert.equal(transcript.language, 'en');
  assert.ok(transcript.languageProbability > 0.5 && transcript.languageProbability <= 1);
  assert.equal(
    segments
      .map((segment) => segment.text)
      .join('')
      .trim(),
    text,
  );
  let last = 0;
  for (const [index, { id, startSeconds, endSeconds }] of segments.entries()) {
    assert.equal(id, index);
    assert.ok(last <= startSeconds && startSeconds <= endSeconds && endSeconds <= durationSeconds);
    last = startSeconds;
  }
}
