/** What the server needs of the rooms below; `app.ts` gives it. */
import type { Logger } from '../base/logger.ts';
import type { Profile } from '../config/schema.ts';
import type { IntelligenceService } from '../intelligence/service.ts';
import type { BullQueue } from '../jobs/redis-delivery.ts';
import type { LanguageService } from '../language/service.ts';
import type { SpeechService } from '../speech/service.ts';
import type { VisionService } from '../vision/service.ts';
import type { KeyCheckOptions } from './auth.ts';
import type { Health } from './health.ts';
import type { ImageLimits } from './image-request.ts';
import type { RealtimeLimits } from './realtime-session.ts';

export interface ServerOptions extends KeyCheckOptions {
  readonly maxUploadBytes: number;
  readonly maxHeaderBytes: number;
  /** Largest body that is no form. */
  readonly maxJsonBytes: number;
  readonly maxFields: number;
  /** Longest time for a client to send one request; 0 for no limit. */
  readonly requestTimeoutMs: number;
  readonly realtime: RealtimeLimits;
  readonly images: ImageLimits;
  /** Private directory for uploads on their way. */
  readonly uploadDirectory: string;
  readonly version: string;
  /** Limits the routes to those of one service. */
  readonly profile: Profile;
}

export interface Services {
  readonly options: ServerOptions;
  readonly speech: SpeechService;
  /** Its routes are answered where it is there. */
  readonly language?: LanguageService | undefined;
  readonly vision?: VisionService | undefined;
  readonly intelligence?: IntelligenceService | undefined;
  /** Shown to a browser, where Redis keeps the tasks. */
  readonly boardQueues?: readonly BullQueue[] | undefined;
  readonly system: SystemService;
  readonly logger: Logger;
}

export interface SystemService {
  health(): Promise<Health>;
  /** Undefined when the default model answers; else why not. */
  notReady(): string | undefined;
}
