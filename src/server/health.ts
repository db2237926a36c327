/** What /health and /metrics show of the engine. */
export interface Health {
  /** Requests waiting or running. */
  readonly queueDepth: number;
  /** The most that may. */
  readonly queueLimit: number;
  readonly workerActive: boolean;
  readonly models: readonly LoadedModelHealth[];
}

export interface LoadedModelHealth {
  readonly name: string;
  readonly state: string;
  readonly memoryBytes: number;
  /** How long it took to load; undefined while it loads. */
  readonly loadSeconds: number | undefined;
}
