/** Input that comes while a call runs: its chunks go to the model process one at a time, the next when the last was taken. */
export interface ChunkFeed {
  /** The model has taken the last chunk. */
  taken(): void;
  /** The call is over: nothing more is sent or asked for. */
  stop(): void;
}

export interface ChunkTarget {
  send(chunk: unknown): void;
  end(): void;
  /** The source has failed, or gave what cannot be sent. */
  fail(error: unknown): void;
}

/** So a source that is read from a pipe is read no faster than the model works, and one chunk is on its way at most. */
export function feedChunks(chunks: AsyncIterable<unknown>, target: ChunkTarget): ChunkFeed {
  const iterator = chunks[Symbol.asyncIterator]();
  let isStopped = false;
  let onTaken = () => {};

  async function run(): Promise<void> {
    for (;;) {
      const next = await iterator.next();
      if (isStopped) return;
      if (next.done) return target.end();
      const taken = new Promise<void>((resolve) => {
        onTaken = resolve;
      });
      target.send(next.value);
      await taken;
      if (isStopped) return;
    }
  }

  run().catch((error: unknown) => {
    if (!isStopped) target.fail(error);
  });
  return {
    taken: () => onTaken(),
    stop() {
      if (isStopped) return;
      isStopped = true;
      onTaken();
      // How the source ends concerns nobody any more.
      Promise.resolve(iterator.return?.()).catch(() => {});
    },
  };
}
