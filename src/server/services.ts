/** What the server needs of the rooms below; `app.ts` gives it. */
import type { Logger } from '../base/logger.ts';
import type { Profile } from '../config/schema.ts';
import type { SpeechService } from '../speech/service.ts';
import type { RealtimeLimits } from './realtime-session.ts';

export interface ServerOptions {
  readonly apiKeys: readonly string[];
  readonly maxUploadBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxFields: number;
  /** Longest time for a client to send one request; 0 for no limit. */
  readonly requestTimeoutMs: number;
  readonly realtime: RealtimeLimits;
  /** Private directory for uploads on their way. */
  readonly uploadDirectory: string;
  readonly version: string;
  /** Limits the routes to those of one service. */
  readonly profile: Profile;
}

export interface Services {
  readonly options: ServerOptions;
  readonly speech: SpeechService;
  readonly system: SystemService;
  readonly logger: Logger;
}

export interface SystemService {
  health(): Promise<Health>;
  /** Undefined when the default model answers; else why not. */
  notReady(): string | undefined;
}

export interface Health {
  readonly queueDepth: number;
  readonly workerActive: boolean;
  readonly models: readonly LoadedModelHealth[];
}

export interface LoadedModelHealth {
  readonly name: string;
  readonly state: string;
  readonly memoryBytes: number;
}
