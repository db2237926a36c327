import { AppError } from '../base/errors.ts';

/** How long an idle model stays loaded, in seconds: 0 unloads after the request, `KEEP_FOREVER` never unloads. */
export type KeepAliveSeconds = number;

export const KEEP_FOREVER = -1;

const UNIT_SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 } as const;
/** Above this a timer of Node would overflow; about 24 days. */
const MAX_SECONDS = 2_000_000;

export const KEEP_ALIVE_EXPECTED =
  '-1 (for ever), 0, a number of seconds, or a duration such as "90s", "5m" or "1h"';

/** Reads -1, 0, seconds, `"5m"`, `"1h30m"`. Throws `invalid_request` with param `keep_alive` for anything else. */
export function parseKeepAlive(value: string | number): KeepAliveSeconds {
  const seconds = typeof value === 'number' ? value : secondsOf(value.trim());
  if (seconds !== undefined && Number.isFinite(seconds)) {
    if (seconds < 0) return KEEP_FOREVER;
    if (seconds <= MAX_SECONDS) return seconds;
  }
  throw new AppError('invalid_request', `keep_alive is expected to be ${KEEP_ALIVE_EXPECTED}.`, {
    param: 'keep_alive',
  });
}

function secondsOf(text: string): number | undefined {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (!/^-?(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS];
  }
  return text.startsWith('-') ? -total : total;
}
