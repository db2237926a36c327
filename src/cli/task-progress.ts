/** Where a task is: a line that redraws itself on a terminal, plain lines anywhere else. */
import type { StatusSummary } from '../intelligence/status-report.ts';
import type { Output } from './context.ts';

export interface TaskProgress {
  update(status: StatusSummary): void;
  /** Leaves the last state standing on a line of its own. */
  end(): void;
}

/** Without a terminal, a line for each stage and for each tenth of it. */
const PLAIN_STEPS = 10;

export function startTaskProgress(output: Output, label: string): TaskProgress {
  return output.isTTY ? redrawn(output, label) : plain(output, label);
}

function redrawn(output: Output, label: string): TaskProgress {
  let isDrawn = false;
  return {
    update(status) {
      const line = `${label}  ${stateOf(status)}`;
      // A line that wraps cannot be drawn over.
      output.write(`\r${line.slice(0, (output.columns ?? 80) - 1)}\u001b[K`);
      isDrawn = true;
    },
    end() {
      if (isDrawn) output.write('\n');
      isDrawn = false;
    },
  };
}

function plain(output: Output, label: string): TaskProgress {
  let last: string | undefined;
  return {
    update(status) {
      const step = [status.status, status.error, Math.floor(status.progress * PLAIN_STEPS)].join();
      if (step !== last) output.write(`${label}  ${stateOf(status)}\n`);
      last = step;
    },
    end() {},
  };
}

function stateOf({ status, progress, error }: StatusSummary): string {
  const share = progress > 0 && progress < 1 ? ` ${Math.round(100 * progress)} %` : '';
  return `${status}${share}${error === null ? '' : `: ${error}`}`;
}
