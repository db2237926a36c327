/** Entry of the thread that holds both encoders of a model: one after the other, they never compete for its cores. */
import { serveThread } from '../../base/thread.ts';
import type { EncodersStart, EncoderWork } from './encoder-thread.ts';
import type { ClipEncoders } from './encoders.ts';
import { openExportedEncoders } from './exported-encoders.ts';
import { openOwnEncoders, openOwnText } from './own-encoders.ts';

await serveThread<EncodersStart, EncoderWork, Float32Array>(async (start) => {
  const encoders = await open(start);
  return {
    async answer(work) {
      const rows =
        'pictures' in work
          ? await encoders.encodeImages!(work.pictures) // only asked for where they are
          : await encoders.encodeTexts(work.texts);
      // A copy: the runtime's own memory cannot be moved.
      const answer = rows.slice();
      return { answer, moved: [answer.buffer] };
    },
    close: () => encoders.close(),
  };
});

function open(start: EncodersStart): Promise<Partial<ClipEncoders> & Omit<ClipEncoders, 'encodeImages'>> {
  switch (start.kind) {
    case 'own':
      return openOwnEncoders(start);
    case 'text':
      return openOwnText(start);
    case 'exported':
      return openExportedEncoders(start);
  }
}
