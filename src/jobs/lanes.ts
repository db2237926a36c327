/** The kinds of work that there are, each with workers of its own. */

/** Recordings on their way to a summary: bounded, so that a client hears of a backlog before it uploads. */
export const RECORDINGS = 'recordings';
/** What receivers are told of ended tasks. Unbounded: each is small, and belongs to a recording that was. */
export const WEBHOOKS = 'webhooks';

export const LANES = [RECORDINGS, WEBHOOKS] as const;
export type Lane = (typeof LANES)[number];
