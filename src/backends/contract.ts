/**
 * What a runtime must do for a task, whatever it runs on. ONNX Runtime on a CPU is one; a neural processing unit with fixed
 * shapes is another: so the contract speaks of windows and tokens, not of tensors, and states its limits instead of hiding them.
 */

/** The encoder's result for some windows, kept where the runtime likes; freed with `release`, by whoever had them encoded. */
export interface EncodedWindows {
  /** Windows encoded together, all of the same length. */
  readonly count: number;
  release(): void;
}

/** The decoder's memory of the tokens so far, for some rows. A row is one hypothesis of one window. */
export interface DecoderState {
  readonly rows: number;
  /** Tokens held. */
  readonly length: number;
  release(): void;
}

export interface DecodeInput {
  readonly audio: EncodedWindows;
  /** Undefined before the first tokens. Consumed: released by the call. */
  readonly state: DecoderState | undefined;
  /** New tokens of each row, all rows equally many. */
  readonly tokens: readonly (readonly number[])[];
  /** How many rows each window has, one at least; rows stand in the order of their windows. */
  readonly beams: readonly number[];
  /** Indices among the new tokens whose logits are wanted. */
  readonly select: readonly number[];
  /** How many best text tokens to give, at least 1. */
  readonly candidates: number;
  /** Also give the raw logits of the whole vocabulary. */
  readonly withLogits: boolean;
}

export interface DecodeOutput {
  readonly state: DecoderState;
  /** All of these are [rows × selected × n], row-major, and valid until the next call. */
  readonly textValues: Float32Array;
  readonly textIds: BigInt64Array;
  readonly textLogSum: Float32Array;
  readonly endLogit: Float32Array;
  readonly timestamps: Float32Array;
  readonly logits: Float32Array | undefined;
}

/** How much each token listens to each 20 ms of a window: [heads × tokens × positions], row-major; each row sums to 1. */
export interface Attention {
  readonly heads: number;
  readonly positions: number;
  readonly weights: Float32Array;
}

export interface WhisperBackend {
  readonly melBins: number;
  readonly vocabulary: number;
  /** Lengths that the decoder can hear a window at, in mel frames, ascending. A window at the longest is encoded whole. */
  readonly windowFrames: readonly number[];
  /** Most tokens of a prompt and its text together. */
  readonly maxTokens: number;
  /** Most tokens of a text. */
  readonly maxText: number;
  /** Longest speech whose text is sure to find room, in seconds: what is longer is cut before it is heard. */
  readonly maxSpeechSeconds: number;
  /** Whether a text may have times in it. */
  readonly hasTimestamps: boolean;
  /** The next windows are better encoded while others are decoded. */
  readonly encodesBeside: boolean;
  /**
   * `mels` are [bins × frames of its own], row-major, an even number of frames, `frames` at most: one of the lengths above. Behind a
   * shorter one the decoder hears silence up to that length. The arrays are taken over.
   */
  encode(mels: readonly Float32Array[], frames: number): Promise<EncodedWindows>;
  /** Puts the first windows of `audio` into another order, in place: `order` is a permutation of as many indices. */
  orderWindows(audio: EncodedWindows, order: readonly number[]): void;
  /** The first `count` windows of `audio`, which still owns them. */
  firstWindows(audio: EncodedWindows, count: number): EncodedWindows;
  decode(input: DecodeInput): Promise<DecodeOutput>;
  /**
   * Reads `tokens` over the window at `index` of `audio`; gives the attention of the heads that follow the speech. Throws
   * `unsupported_parameter` where the runtime does not let it be seen.
   */
  align(audio: EncodedWindows, index: number, tokens: readonly number[]): Promise<Attention>;
  /** Keeps the given rows, in the given order and as often as named; the old state is released. */
  selectRows(state: DecoderState, rows: readonly number[]): DecoderState;
  close(): Promise<void>;
}
