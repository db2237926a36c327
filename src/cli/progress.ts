/** Progress of one piece of work: a bar that redraws itself on a terminal, plain lines anywhere else. */
import type { Output } from './context.ts';
import { formatBytes, formatClock } from './units.ts';

export interface Progress {
  /** `done` and `total` in the unit of the work; a smaller `done` than before starts the measuring of the rate again. */
  update(done: number, total: number): void;
  /** Leaves the last state standing on a line of its own. */
  end(): void;
}

type Unit = 'bytes' | 'seconds' | 'files';

export interface ProgressOptions {
  readonly label: string;
  /** `bytes` and `files` show a rate; `seconds` of audio shows how much faster than real time. */
  readonly unit: Unit;
  /** Milliseconds of any clock that only goes forward. */
  readonly now?: () => number;
}

const BAR_WIDTH = 24;
const REDRAW_MS = 100;
/** The rate is over this long, so that it follows the line and does not jump. */
const WINDOW_MS = 5000;
/** Without a terminal, one line for each tenth of the work. */
const PLAIN_STEPS = 10;

export function startProgress(output: Output, options: ProgressOptions): Progress {
  const meter = new Meter(options.now ?? (() => performance.now()));
  return output.isTTY ? new BarProgress(output, options, meter) : new PlainProgress(output, options, meter);
}

class BarProgress implements Progress {
  readonly #output: Output;
  readonly #options: ProgressOptions;
  readonly #meter: Meter;
  /** When the line was last drawn; undefined before the first drawing. */
  #drawnMs: number | undefined;

  constructor(output: Output, options: ProgressOptions, meter: Meter) {
    this.#output = output;
    this.#options = options;
    this.#meter = meter;
  }

  update(done: number, total: number): void {
    this.#meter.update(done, total);
    const isDue = this.#drawnMs === undefined || this.#meter.nowMs - this.#drawnMs >= REDRAW_MS;
    if (isDue || done >= total) this.#draw();
  }

  end(): void {
    if (this.#drawnMs === undefined) return;
    this.#draw();
    this.#output.write('\n');
  }

  #draw(): void {
    this.#drawnMs = this.#meter.nowMs;
    const filled = Math.round(this.#meter.share * BAR_WIDTH);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`;
    const line = `${this.#options.label}  ${bar} ${percent(this.#meter)}  ${details(this.#meter, this.#options.unit)}`;
    const width = this.#output.columns ?? 80;
    // A line that wraps cannot be drawn over.
    this.#output.write(`\r${line.slice(0, width - 1)}\u001b[K`);
  }
}

class PlainProgress implements Progress {
  readonly #output: Output;
  readonly #options: ProgressOptions;
  readonly #meter: Meter;
  /** The last tenth that has its line; -1 before the first. */
  #step = -1;

  constructor(output: Output, options: ProgressOptions, meter: Meter) {
    this.#output = output;
    this.#options = options;
    this.#meter = meter;
  }

  update(done: number, total: number): void {
    this.#meter.update(done, total);
    const step = Math.floor(this.#meter.share * PLAIN_STEPS);
    if (step <= this.#step) return;
    this.#step = step;
    const { label, unit } = this.#options;
    this.#output.write(`${label} ${percent(this.#meter).trim()}  ${details(this.#meter, unit)}\n`);
  }

  end(): void {}
}

/** How far the work is and how fast it goes. */
class Meter {
  readonly #now: () => number;
  /** Oldest first, none older than the window but one, so that there is always a distance to measure. */
  #samples: { readonly atMs: number; readonly done: number }[] = [];
  #done = 0;
  #total = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  update(done: number, total: number): void {
    if (done < this.#done) this.#samples = [];
    this.#done = done;
    this.#total = total;
    this.#samples.push({ atMs: this.nowMs, done });
    while (this.#samples.length > 2 && this.nowMs - this.#samples[1]!.atMs > WINDOW_MS) this.#samples.shift();
  }

  get nowMs(): number {
    return this.#now();
  }

  get done(): number {
    return this.#done;
  }

  get total(): number {
    return this.#total;
  }

  get share(): number {
    return this.#total > 0 ? Math.min(1, this.#done / this.#total) : 0;
  }

  /** Units a second; 0 before it can be told. */
  get rate(): number {
    const first = this.#samples[0];
    if (!first) return 0;
    const elapsedMs = this.nowMs - first.atMs;
    return elapsedMs > 0 ? ((this.#done - first.done) / elapsedMs) * 1000 : 0;
  }
}

function percent(meter: Meter): string {
  return `${String(Math.floor(meter.share * 100)).padStart(3)} %`;
}

/** An amount, and how fast it grows. */
const SPELLINGS: Readonly<Record<Unit, { amount(n: number): string; rate(n: number): string }>> = {
  bytes: { amount: formatBytes, rate: (n) => `${formatBytes(n)}/s` },
  seconds: { amount: formatClock, rate: (n) => `${n.toFixed(1)}x real time` },
  files: { amount: String, rate: (n) => `${n.toFixed(1)}/s` },
};

function details(meter: Meter, unit: Unit): string {
  const { amount, rate } = SPELLINGS[unit];
  const parts = [`${amount(meter.done)} of ${amount(meter.total)}`];
  if (meter.rate > 0) {
    parts.push(rate(meter.rate));
    if (meter.share < 1) parts.push(`${formatClock((meter.total - meter.done) / meter.rate)} left`);
  }
  return parts.join('  ');
}
