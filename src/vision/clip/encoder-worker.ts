/** Entry of the thread that holds both encoders of a model: one after the other, they never compete for its cores. */
import { serveThread } from '../../base/thread.ts';
import type { EncodersStart, EncoderWork } from './encoder-thread.ts';
import { openExportedEncoders } from './exported-encoders.ts';
import { openOwnEncoders } from './own-encoders.ts';

await serveThread<EncodersStart, EncoderWork, Float32Array>(async (start) => {
  const encoders = await (start.kind === 'own' ? openOwnEncoders(start) : openExportedEncoders(start));
  return {
    async answer(work) {
      const rows =
        'pictures' in work
          ? await encoders.encodeImages(work.pictures)
          : await encoders.encodeTexts(work.texts);
      // A copy: the runtime's own memory cannot be moved.
      const answer = rows.slice();
      return { answer, moved: [answer.buffer] };
    },
    close: () => encoders.close(),
  };
});
