/** What may be said of a compiled Whisper model in its hailo.json. */
import { z } from 'zod';

export const settingsSchema = z.strictObject({
  /**
   * Whether the host adds the positions to the token embeddings: compiled decoders of different age differ in it, and their shapes do not
   * tell. `auto`: tried both ways when the model is loaded.
   */
  position_add: z.union([z.boolean(), z.literal('auto')]).default('auto'),
  /** The logit of a token that was among the last eight is divided by this (multiplied, if it is negative); 1 does nothing. */
  repetition_penalty: z.number().min(1).max(10).default(1.5),
  /** Whether texts have times in them; `auto`: where the sequence has room for them. */
  timestamps: z.union([z.boolean(), z.literal('auto')]).default('auto'),
});

export type HailoWhisperSettings = Readonly<z.output<typeof settingsSchema>>;
