/** The network side of the store, from its options: who is asked, in which order, with which credentials. */

import type { CatalogueEntry } from './catalogue-entry.ts';
import { hubSource } from './hub.ts';
import { type Network, openNetwork, splitCredentials } from './network.ts';
import { indexSource } from './package-index.ts';
import type { WeightSource } from './plan.ts';
import { vendorSource } from './vendor.ts';

export interface RemoteOptions {
  /** True: every use of the network is an `offline` error. */
  readonly offline: boolean;
  /** As in the configuration. */
  readonly sources: {
    readonly hubEndpoint: string;
    readonly hubToken: string | null;
    readonly indexUrl: string;
    readonly order: readonly ('hub' | 'index')[];
    readonly connectTimeoutSeconds: number;
    readonly hailoResources: string;
    readonly hailoModelZoo: string;
  };
  /** Empty strings where there is none. */
  readonly proxy: { readonly httpProxy: string; readonly httpsProxy: string; readonly noProxy: string };
  /** Longest silence of a server in the middle of a download. */
  readonly idleTimeoutMs?: number;
  /** Pause before the first retry. */
  readonly retryDelayMs?: number;
}

export interface Remote {
  readonly network: Network;
  readonly retryDelayMs: number;
  /** Who may have it, in the configured order; what is compiled for a device comes from its maker. */
  sourcesOf(entry: CatalogueEntry): readonly WeightSource[];
  /** Root of the simple API, without credentials or trailing slash. */
  readonly indexUrl: string;
}

const IDLE_TIMEOUT_MS = 60_000;
const RETRY_DELAY_MS = 500;

/** Opens no connection yet. A password or token goes to its own host only. */
export function openRemote(options: RemoteOptions): Remote {
  const hub = splitCredentials(options.sources.hubEndpoint);
  const index = splitCredentials(options.sources.indexUrl);
  const credentials = new Map<string, string>();
  if (index.authorization) credentials.set(new URL(index.url).origin, index.authorization);
  const hubAuthorization = options.sources.hubToken
    ? `Bearer ${options.sources.hubToken}`
    : hub.authorization;
  if (hubAuthorization) credentials.set(new URL(hub.url).origin, hubAuthorization);
  const network = openNetwork({
    offline: options.offline,
    connectTimeoutMs: options.sources.connectTimeoutSeconds * 1000,
    idleTimeoutMs: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
    proxy: options.proxy,
    credentials,
  });
  const indexUrl = withoutSlash(index.url);
  const sources = options.sources.order.map((type) =>
    type === 'hub' ? hubSource(withoutSlash(hub.url)) : indexSource(indexUrl),
  );
  const { hailoResources, hailoModelZoo } = options.sources;
  const vendor = vendorSource({
    places: { hailoResources: withoutSlash(hailoResources), hailoModelZoo: withoutSlash(hailoModelZoo) },
    hub: withoutSlash(hub.url),
  });
  return {
    network,
    retryDelayMs: options.retryDelayMs ?? RETRY_DELAY_MS,
    sourcesOf: (entry) => (entry.vendor === undefined ? sources : [vendor]),
    indexUrl,
  };
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}
