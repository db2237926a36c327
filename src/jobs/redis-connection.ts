/** Connections to Redis: how long they wait, when they try again, and what their failures mean. */
import { Redis, type RedisOptions, ReplyError } from 'ioredis';
import { AppError } from '../base/errors.ts';
import { hidePassword } from '../base/url.ts';

export type RedisClient = Redis;

const CONNECT_MS = 5000;
const COMMAND_MS = 10_000;
/** Tries to connect before whoever asks meanwhile is told; the connection itself is tried again for ever. */
const TRIES_PER_REQUEST = 3;
const LONGEST_PAUSE_MS = 1000;

export interface ConnectOptions {
  readonly url: string;
  /** Undefined: that of the URL. */
  readonly database?: number;
  /** For BullMQ, whose requests wait for the connection however long it takes. */
  readonly isPatient?: boolean;
  /** Called with every failure of the connection. */
  onError(error: Error): void;
}

export function connectRedis({ url, database, isPatient = false, onError }: ConnectOptions): RedisClient {
  const options: RedisOptions = {
    connectTimeout: CONNECT_MS,
    commandTimeout: COMMAND_MS,
    maxRetriesPerRequest: isPatient ? null : TRIES_PER_REQUEST,
    // A change whose answer was lost may have been made: whoever asked decides whether to ask again.
    autoResendUnfulfilledCommands: isPatient,
    retryStrategy: (tries) => Math.min(100 * tries, LONGEST_PAUSE_MS),
    // A replica that was a primary a moment ago refuses writes; the address leads to the new primary.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  };
  const client = new Redis(database === undefined ? url : withDatabase(url, database), options);
  client.on('error', onError);
  return client;
}

/** The library takes what the URL says before what the options say. */
function withDatabase(url: string, database: number): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

/** What a failure of Redis means to whoever asked; anything else stays as it is. */
export function redisError(thrown: unknown, url: string): unknown {
  if (thrown instanceof AppError || !(thrown instanceof Error)) return thrown;
  if (thrown instanceof ReplyError && /user_script|ERR (value|wrong|unknown|syntax)/.test(thrown.message))
    return thrown;
  return new AppError('queue_unavailable', `Redis at ${hidePassword(url)} ${remedy(thrown.message)}.`, {
    cause: thrown,
  });
}

/** By the first word of the answer; Redis has no codes beside it. */
function remedy(message: string): string {
  if (message.startsWith('LOADING')) return 'is loading its data: try again in a moment';
  if (message.startsWith('OOM')) return 'has no memory left: raise its maxmemory';
  if (message.startsWith('MISCONF'))
    return 'cannot write to its disk: free some space there, and see its log';
  if (/^(NOAUTH|WRONGPASS|NOPERM|ERR invalid password)/.test(message))
    return 'refuses the password: see tasks.redis_url';
  if (/DB index/.test(message))
    return 'has no database of that number: see tasks.redis_url and tasks.redis_results_db';
  return 'does not answer: see that it runs and that tasks.redis_url leads to it';
}
