/** What one piece of a compressed stream became; all channels have one length, often zero. */
export interface DecodedChannels {
  readonly channelData: readonly Float32Array[];
  readonly sampleRate: number;
}

/** A WebAssembly decoder fed with a file's bytes in order, pieces of any size. */
export interface StreamDecoder {
  decode(bytes: Uint8Array): Promise<DecodedChannels>;
  /** What the decoder still held back; called once, at the end of the file. */
  flush(): Promise<DecodedChannels>;
}
