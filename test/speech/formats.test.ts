import assert from 'node:assert/strict';
import test from 'node:test';
import { toSrt, toText, toVerboseJson, toVtt } from '../../src/speech/formats.ts';
import type { Segment, Transcript } from '../../src/speech/transcript.ts';

function transcriptOf(...segments: [number, number, string][]): Transcript {
  return {
    model: 'm',
    task: 'transcribe',
    language: 'en',
    languageProbability: 1,
    durationSeconds: 4000,
    text: segments
      .map(([, , text]) => text)
      .join('')
      .trim(),
    segments: segments.map(
      ([startSeconds, endSeconds, text], id): Segment => ({
        id,
        seek: 0,
        startSeconds,
        endSeconds,
        text,
        tokens: [],
        temperature: 0,
        avgLogprob: 0,
        compressionRatio: 1,
        noSpeechProb: 0,
      }),
    ),
    speechRatio: 1,
    timings: { decodeAudio: 0, voiceActivity: 0, features: 0, encoder: 0, decoder: 0, total: 0 },
  };
}

test('srt numbers its cues and writes milliseconds after a comma', () => {
  const srt = toSrt(transcriptOf([0, 1.5, ' One.'], [3661.0405, 3725.9996, ' Two.']));
  assert.equal(srt, '1\n00:00:00,000 --> 00:00:01,500\nOne.\n\n2\n01:01:01,041 --> 01:02:06,000\nTwo.\n');
});

test('vtt escapes what would be markup and never closes its own cue', () => {
  const vtt = toVtt(transcriptOf([0, 1, ' a < b & c --> d\n\ne']));
  assert.equal(vtt, 'WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na &lt; b &amp; c -&gt; d e\n');
});

test('an empty transcript is an empty file of its format', () => {
  const empty = transcriptOf();
  assert.equal(toText(empty), '\n');
  assert.equal(toSrt(empty), '');
  assert.equal(toVtt(empty), 'WEBVTT\n');
});

test('verbose json has the times that are asked for, and a word without the space before it', () => {
  const [first] = transcriptOf([0, 1, ' It is.']).segments;
  const words = [
    { text: ' It', startSeconds: 0, endSeconds: 0.5 },
    { text: ' is.', startSeconds: 0.5, endSeconds: 1 },
  ];
  const transcript = { ...transcriptOf(), segments: [{ ...first!, words }] };
  const both = toVerboseJson(transcript, ['segment', 'word']);
  assert.deepEqual(both.words, [
    { word: 'It', start: 0, end: 0.5 },
    { word: 'is.', start: 0.5, end: 1 },
  ]);
  const { segments, ...onlyWords } = both;
  assert.equal(segments!.length, 1);
  assert.deepEqual(toVerboseJson(transcript, ['word']), onlyWords);
  const { words: _, ...onlySegments } = both;
  assert.deepEqual(toVerboseJson(transcript), onlySegments);
  assert.deepEqual(toVerboseJson(transcriptOf(), ['word']).words, []);
});

test('verbose json names the language of the text, which for a translation is English', () => {
  const german = { ...transcriptOf([0, 1, ' Hallo.']), language: 'de' };
  assert.equal(toVerboseJson(german).language, 'german');
  assert.equal(toVerboseJson({ ...german, task: 'translate' }).language, 'english');
});
