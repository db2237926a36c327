/** A thread for `thread.test.ts`: gives its number back, fails, or ends. */
import { AppError } from '../../src/base/errors.ts';
import { serveThread } from '../../src/base/thread.ts';

await serveThread<{ readonly refuses: boolean }, number | 'fail' | 'end', number>(async ({ refuses }) => {
  if (refuses) throw new AppError('model_failed', 'There is no such graph.');
  let answered = 0;
  return {
    async answer(work) {
      if (work === 'end') process.exit(3);
      if (work === 'fail') throw new AppError('unsupported_image', 'This is no picture.');
      // The first takes longest: the order is kept all the same.
      await new Promise((resolve) => setTimeout(resolve, 5 - answered));
      answered += 1;
      return { answer: work };
    },
    async close() {},
  };
});
