/** How webhooks are signed: Standard Webhooks 1.0 (https://www.standardwebhooks.com), which OpenAI's SDKs and others verify. */
import { createHmac } from 'node:crypto';

export interface Signed {
  /** The same at each try, so that a receiver can tell a repeated one. */
  readonly id: string;
  /** When this try is made. */
  readonly at: Date;
  readonly body: string;
}

/** The headers that prove who sent a webhook and that nobody changed it. A secret that begins with `whsec_` is base64 behind that. */
export function signatureHeaders(secret: string, { id, at, body }: Signed): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret);
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
