/** The log: JSON lines for machines, readable lines on a terminal. Written to stderr, since stdout is the CLI's answer. */
import { type Logger as PinoLogger, pino } from 'pino';
import pretty from 'pino-pretty';

export interface LogSettings {
  readonly level: string;
  readonly format: 'auto' | 'json' | 'pretty';
}

export function createLogger({ level, format }: LogSettings): PinoLogger {
  const isPretty = format === 'pretty' || (format === 'auto' && process.stderr.isTTY === true);
  const destination = isPretty
    ? pretty({ destination: 2, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss', sync: true })
    : pino.destination({ dest: 2, sync: true });
  return pino({ level, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}
