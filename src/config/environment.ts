/** The only file that reads and sets `process.env`; every other room is given the values it needs. */

export type Environment = Readonly<Record<string, string | undefined>>;

/** A copy of this process's environment. */
export function readEnvironment(): Environment {
  return { ...process.env };
}

/**
 * ONNX Runtime 1.30 is built to report its use to its makers, and keeps a record for it below the user's home, unless this is set before it
 * is loaded. Percept opens no connection that nobody asked for.
 */
export const NO_TELEMETRY: Environment = { ORT_DISABLE_TELEMETRY: '1' };

/** For this process and those that inherit its environment; to be called before anything else. */
export function forbidTelemetry(): void {
  Object.assign(process.env, NO_TELEMETRY);
}

/** What an HTTP client needs to honour the proxies of the machine; empty where none is set. */
export interface ProxySettings {
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
}

/** Lower case wins, as in curl; `ALL_PROXY` fills what is unset. */
export function proxySettings(env: Environment): ProxySettings {
  const all = env['all_proxy'] || env['ALL_PROXY'] || '';
  return {
    // HTTP_PROXY in upper case is kept: the well-known attack on it needs a CGI server, which this is not.
    httpProxy: env['http_proxy'] || env['HTTP_PROXY'] || all,
    httpsProxy: env['https_proxy'] || env['HTTPS_PROXY'] || all,
    noProxy: env['no_proxy'] || env['NO_PROXY'] || '',
  };
}
