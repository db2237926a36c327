/** A worker thread that holds something slow, and answers one message with one, in their order. */
import { parentPort, type TransferListItem, Worker, workerData } from 'node:worker_threads';
import { AppError, fromWireError, toWireError, type WireError } from './errors.ts';

export interface Thread<Work, Answer> {
  /** Memory in `moved` goes along and is gone here. Throws what the work threw, or `model_failed` when the thread has ended. */
  ask(work: Work, moved?: readonly TransferListItem[]): Promise<Answer>;
  close(): Promise<void>;
}

/** What runs inside. */
export interface ThreadWork<Work, Answer> {
  answer(work: Work): Promise<{ readonly answer: Answer; readonly moved?: readonly TransferListItem[] }>;
  close(): Promise<void>;
}

type Reply<Answer> = { readonly answer?: Answer; readonly error?: WireError };

interface Waiting<Answer> {
  resolve(reply: Reply<Answer>): void;
  reject(error: unknown): void;
}

const CLOSE = 'close';

/** Starts the file `entry`, which calls `serveThread`, and waits until it is ready. Throws what its opening throws. */
export async function startThread<Work, Answer>(entry: URL, start: unknown): Promise<Thread<Work, Answer>> {
  const worker = new Worker(entry, { workerData: start });
  const waiting: Waiting<Answer>[] = [];
  let failure: AppError | undefined;
  const fail = (cause: unknown) => {
    failure ??= new AppError('model_failed', 'A thread of the model has ended.', { cause });
    for (const { reject } of waiting.splice(0)) reject(failure);
  };
  const ended = new Promise<void>((resolve) => {
    worker.once('error', fail);
    worker.once('exit', (code) => {
      fail(`exit code ${code}`);
      resolve();
    });
  });
  worker.on('message', (reply: Reply<Answer>) => waiting.shift()!.resolve(reply));
  let isClosing = false;
  /** The thread keeps the process running only while an answer, or its end, is awaited. */
  const nextReply = async (): Promise<Answer> => {
    worker.ref();
    const reply = await new Promise<Reply<Answer>>((resolve, reject) =>
      waiting.push({ resolve, reject }),
    ).finally(() => waiting.length === 0 && !isClosing && worker.unref());
    if (reply.error !== undefined) throw fromWireError(reply.error);
    return reply.answer as Answer; // an error otherwise
  };

  await nextReply();
  return {
    async ask(work, moved = []) {
      if (failure !== undefined) throw failure;
      worker.postMessage(work, moved);
      return nextReply();
    },
    async close() {
      isClosing = true;
      worker.ref();
      worker.postMessage(CLOSE);
      await ended;
    },
  };
}

/** To be called by the thread's entry. Work is done one piece after another, in the order in which it came. */
export async function serveThread<Start, Work, Answer>(
  open: (start: Start) => Promise<ThreadWork<Work, Answer>>,
): Promise<void> {
  const port = parentPort!;
  const reply = (message: Reply<Answer>, moved: readonly TransferListItem[] = []) =>
    port.postMessage(message, moved);
  try {
    const work = await open(workerData as Start);
    let last = Promise.resolve();
    port.on('message', (message: Work | typeof CLOSE) => {
      last = last.then(async () => {
        if (message === CLOSE) {
          await work.close();
          port.close();
          return;
        }
        try {
          const { answer, moved } = await work.answer(message);
          reply({ answer }, moved);
        } catch (thrown) {
          reply({ error: toWireError(thrown) });
        }
      });
    });
    reply({});
  } catch (thrown) {
    reply({ error: toWireError(thrown) });
  }
}
