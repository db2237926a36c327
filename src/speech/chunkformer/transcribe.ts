/** From sound to a transcript with a ChunkFormer model: rows, symbols, utterances. */

import { SAMPLE_RATE } from '../../audio/pcm.ts';
import type { Sound } from '../../audio/sound.ts';
import { compressionRatio } from '../compression-ratio.ts';
import type { Stopwatch } from '../stopwatch.ts';
import type { Segment, TranscribeEvent, Transcript } from '../transcript.ts';
import type { Batcher } from './batcher.ts';
import { createCtcDecoder, type Utterance } from './ctc.ts';
import { encode } from './encode.ts';
import type { Fbank } from './fbank.ts';
import { FRAME_SECONDS, SUBSAMPLING } from './settings.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface ChunkFormerModel {
  readonly name: string;
  readonly batcher: Batcher;
  readonly fbank: Fbank;
  readonly vocabulary: Vocabulary;
  /** See `createCtcDecoder`. */
  readonly mergesRepeats: boolean;
}

export interface TranscribeContext {
  /** Undefined where nobody knows it. */
  readonly language: string | undefined;
  readonly stopwatch: Stopwatch;
  readonly signal: AbortSignal;
  emit(event: TranscribeEvent): void;
}

/** ISO 639-3 for a language that is not known. */
const UNDETERMINED = 'und';

/** Throws the signal's error when it fires. */
export async function transcribe(
  sound: Sound,
  model: ChunkFormerModel,
  context: TranscribeContext,
): Promise<Transcript> {
  const { language, stopwatch, signal, emit } = context;
  const { fbank, mergesRepeats } = model;
  const encoder = model.batcher.join({ stopwatch, signal });
  const durationSeconds = sound.length / SAMPLE_RATE;
  const decoder = createCtcDecoder({ mergesRepeats });
  const segments: Segment[] = [];
  const add = (utterances: readonly Utterance[]) => {
    for (const utterance of utterances) {
      const segment = segmentOf(utterance, { id: segments.length, vocabulary: model.vocabulary });
      // Symbols may be nothing but a space.
      if (segment.text.trim() === '') continue;
      segments.push(segment);
      emit({ type: 'segment', segment });
    }
  };

  emit({ type: 'started', durationSeconds });
  let frames = 0;
  for await (const rows of encode(sound, { encoder, fbank, stopwatch })) {
    const best = await encoder.head(rows);
    add(decoder.push(best.ids, best.logProbs));
    frames += best.ids.length;
    emit({ type: 'progress', doneSeconds: frames * FRAME_SECONDS });
  }
  add(decoder.end());
  emit({ type: 'progress', doneSeconds: durationSeconds });
  return {
    model: model.name,
    task: 'transcribe',
    language: language ?? UNDETERMINED,
    languageProbability: language === undefined ? 0 : 1,
    durationSeconds,
    text: segments
      .map(({ text }) => text)
      .join('')
      .trim(),
    segments,
    speechRatio: shareOf(segments, durationSeconds),
    timings: stopwatch.read(),
  };
}

function segmentOf(
  { startFrame, endFrame, ids, avgLogprob }: Utterance,
  { id, vocabulary }: { readonly id: number; readonly vocabulary: Vocabulary },
): Segment {
  const text = vocabulary.text(ids);
  return {
    id,
    seek: startFrame * SUBSAMPLING,
    startSeconds: seconds(startFrame),
    endSeconds: seconds(endFrame),
    // Segments join to the text, as Whisper's do.
    text: ` ${text}`,
    tokens: ids,
    temperature: 0,
    avgLogprob,
    compressionRatio: compressionRatio(text),
    // Where there is no speech there is no segment.
    noSpeechProb: 0,
  };
}

/** Whole hundredths: 8 times 80 ms is 0.64 s and not 0.6400000000000001 s. */
function seconds(frame: number): number {
  return Math.round(frame * FRAME_SECONDS * 100) / 100;
}

function shareOf(segments: readonly Segment[], durationSeconds: number): number {
  const spoken = segments.reduce((sum, { startSeconds, endSeconds }) => sum + endSeconds - startSeconds, 0);
  return durationSeconds === 0 ? 0 : Math.min(1, spoken / durationSeconds);
}
