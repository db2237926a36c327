import { StringDecoder } from 'node:string_decoder';

export interface LineSplitter {
  add(chunk: Buffer): void;
  /** Hands on a last line that no line break ended. */
  end(): void;
}

/**
 * Calls `onLine` for each line of UTF-8 bytes that come in pieces. What is longer than `maxLength` characters is cut,
 * so that a program that never ends its line costs no memory; empty lines are left out.
 */
export function splitLines(maxLength: number, onLine: (line: string) => void): LineSplitter {
  const decoder = new StringDecoder('utf8');
  let line = '';
  const finishLine = () => {
    const whole = line.endsWith('\r') ? line.slice(0, -1) : line;
    line = '';
    if (whole.length > 0) onLine(whole);
  };
  return {
    add(chunk) {
      const parts = decoder.write(chunk).split('\n');
      for (const [index, part] of parts.entries()) {
        if (index > 0) finishLine();
        if (line.length < maxLength) line += part.slice(0, maxLength - line.length);
      }
    },
    end: finishLine,
  };
}
