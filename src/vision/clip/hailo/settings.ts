/** What may be said of compiled CLIP encoders in their hailo.json. */
import { z } from 'zod';

export const settingsSchema = z.strictObject({
  /** Whether the host adds the positions of tokens; `auto`: whichever gives the embeddings of the checkpoint. */
  position_add: z.union([z.boolean(), z.literal('auto')]).default('auto'),
});
