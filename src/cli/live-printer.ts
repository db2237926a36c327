/** What a live session says, on standard output: a line for each utterance, and on a terminal the utterance that goes on. */
import type { LiveEvent } from '../speech/live.ts';
import type { CliContext } from './context.ts';

export type LivePrinter = (event: LiveEvent) => void;

export function createLivePrinter(
  context: Pick<CliContext, 'stdout' | 'stderr' | 'fail'>,
  { isJson }: { readonly isJson: boolean },
): LivePrinter {
  const { stdout, stderr } = context;
  const showsPartials = stdout.isTTY === true && !isJson;
  /** When each utterance that has no text yet began, in milliseconds. */
  const starts = new Map<number, number>();
  let partial = '';

  function finish(line: string): void {
    if (line !== '') stdout.write(showsPartials ? `\r${line}\u001b[K\n` : `${line}\n`);
    else if (showsPartials && partial !== '') stdout.write('\r\u001b[K');
    partial = '';
  }

  return (event) => {
    switch (event.type) {
      case 'started':
        starts.set(event.utterance, event.atMs);
        break;
      case 'delta':
        partial += event.text;
        // A line that wraps cannot be drawn over: its end is what is new.
        if (showsPartials) stdout.write(`\r${partial.slice(1 - (stdout.columns ?? 80))}\u001b[K`);
        break;
      case 'completed': {
        const { text, seconds } = event;
        const start = (starts.get(event.utterance) ?? 0) / 1000;
        const end = Math.round((start + seconds) * 1000) / 1000;
        finish(isJson && text !== '' ? JSON.stringify({ start, end, text }) : text);
        starts.delete(event.utterance);
        break;
      }
      case 'failed': {
        const { code, message } = event.error;
        finish(isJson ? JSON.stringify({ error: { code, message } }) : '');
        if (!isJson) stderr.write(`percept: ${message}\n`);
        starts.delete(event.utterance);
        context.fail();
        break;
      }
      case 'stopped':
      case 'committed':
      case 'cleared':
      case 'refused':
        break;
      default:
        event satisfies never;
    }
  };
}
