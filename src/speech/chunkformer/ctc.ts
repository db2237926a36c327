/**
 * Greedy CTC decoding of frames as they come (chunkformer 1.2.2, utils/model_utils.py `get_output_with_timestamps`): half a second of blanks ends an
 * utterance. Frames are counted from the beginning of the recording.
 */

export interface Utterance {
  readonly startFrame: number;
  readonly endFrame: number;
  readonly ids: readonly number[];
  /** Mean of the frames that are not blank. */
  readonly avgLogprob: number;
}

export interface CtcDecoder {
  /** The next frames: each one's best symbol and its natural-log probability. Gives the utterances that end in them. */
  push(ids: ArrayLike<number | bigint>, logProbs: ArrayLike<number>): Utterance[];
  /** The utterance that is open. */
  end(): Utterance[];
}

const BLANK = 0;
/** 0.5 s, rounded down to frames of 80 ms. */
const SILENT_FRAMES = 6;
/** An utterance is said to begin before its first symbol, as symbols come late. */
const LEAD_FRAMES = 2;

/**
 * `mergesRepeats`: a symbol counts once even if blanks stand between its repetitions, as the Python package has it in its endless decoding
 * (not in its batches); words said twice are then lost.
 */
export function createCtcDecoder({ mergesRepeats }: { readonly mergesRepeats: boolean }): CtcDecoder {
  let frame = 0;
  let silentFrames = 0;
  let previousEnd: number | undefined;
  let previousId = BLANK;
  let open:
    | { readonly startFrame: number; readonly ids: number[]; logProb: number; frames: number }
    | undefined;

  function close(endFrame: number): Utterance[] {
    if (open === undefined) return [];
    const { startFrame, ids, logProb, frames } = open;
    open = undefined;
    previousEnd = endFrame;
    silentFrames = 0;
    return [{ startFrame, endFrame, ids, avgLogprob: logProb / frames }];
  }

  function start(): number {
    const lead = frame - LEAD_FRAMES;
    return Math.max(previousEnd === undefined ? 0 : Math.ceil((frame + previousEnd) / 2), lead);
  }

  return {
    push(ids, logProbs) {
      const ended: Utterance[] = [];
      for (let index = 0; index < ids.length; index += 1) {
        const id = Number(ids[index]);
        if (id === BLANK) silentFrames += 1;
        else {
          open ??= { startFrame: start(), ids: [], logProb: 0, frames: 0 };
          silentFrames = 0;
          open.logProb += logProbs[index]!;
          open.frames += 1;
          if (id !== (mergesRepeats ? open.ids.at(-1) : previousId)) open.ids.push(id);
        }
        previousId = id;
        if (silentFrames === SILENT_FRAMES) ended.push(...close(frame));
        frame += 1;
      }
      return ended;
    },
    end: () => close(frame - 1),
  };
}
