/** The text of a transcript bit by bit: what is new with each segment. Joined, the bits are `Transcript.text` exactly. */
export function createTextDeltas(): (segmentText: string) => string {
  let hasBegun = false;
  /** Space that has not been given yet: the transcript's text has none at its end. */
  let held = '';
  return (segmentText) => {
    const text = hasBegun ? held + segmentText : segmentText.trimStart();
    const delta = text.trimEnd();
    held = text.slice(delta.length);
    hasBegun ||= delta !== '';
    return delta;
  };
}
