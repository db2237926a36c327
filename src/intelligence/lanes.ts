/** The kinds of work in the queue, each with workers and a limit of its own. */

export const RECORDINGS = 'recordings';
/** To be told of the end of a recording's task. */
export const WEBHOOKS = 'webhooks';
