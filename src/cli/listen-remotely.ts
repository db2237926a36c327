/** Live transcription by a running server, through the same WebSocket that everyone uses. */
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import { abortError, sleep } from '../base/abort.ts';
import type { ErrorCode, WireError } from '../base/errors.ts';
import type { LiveEvent, LiveInput, LiveRequest } from '../speech/live.ts';
import { type NamedError, namedError, routeOf, serverError, unreachable } from './transcribe-remotely.ts';

export interface RemoteSession {
  readonly server: string;
  readonly apiKey?: string | undefined;
  readonly request: Omit<LiveRequest, 'detection'>;
  readonly signal: AbortSignal;
  onEvent(event: LiveEvent): void;
}

/** How far the sound may run ahead of the clock: a recording in place of a microphone would else fill the server's backlog. */
const MAX_AHEAD_SECONDS = 10;
/** Names our last commit, which is refused when everything was committed before. */
const LAST_COMMIT = 'last';

/** Resolves when everything that was said has its text. Throws the server's own error, or `server_unreachable`. */
export async function listenRemotely(input: AsyncIterable<LiveInput>, session: RemoteSession): Promise<void> {
  const socket = await connect(session);
  const onAbort = () => socket.terminate();
  session.signal.addEventListener('abort', onAbort, { once: true });
  const answers = readAnswers(socket, session);
  try {
    await Promise.race([answers, send(input, socket, session)]);
    await answers;
    socket.close(1000);
  } catch (error) {
    socket.terminate();
    throw error;
  } finally {
    session.signal.removeEventListener('abort', onAbort);
  }
}

async function connect({ server, apiKey, request, signal }: RemoteSession): Promise<WebSocket> {
  const url = new URL(routeOf(server, 'realtime').replace(/^http/, 'ws'));
  url.searchParams.set('intent', 'transcription');
  if (request.model !== undefined) url.searchParams.set('model', request.model);
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  const socket = new WebSocket(url, { headers });
  const refused = new Promise<never>((_, reject) => {
    socket.once('unexpected-response', (_request, response) => {
      text(response).then((body) => reject(serverError(response.statusCode ?? 0, body)), reject);
    });
  });
  const opened = once(socket, 'open', { signal }).catch((cause: unknown) => {
    socket.terminate();
    throw signal.aborted ? abortError(signal) : unreachable(server, cause);
  });
  await Promise.race([opened, refused]);
  return socket;
}

async function send(
  input: AsyncIterable<LiveInput>,
  socket: WebSocket,
  session: RemoteSession,
): Promise<void> {
  const { model: _, sampleRate, language, prompt } = session.request;
  const say = (message: object) => socket.send(JSON.stringify(message));
  say({
    type: 'session.update',
    session: {
      type: 'transcription',
      audio: {
        input: { format: { type: 'audio/pcm', rate: sampleRate }, transcription: { language, prompt } },
      },
    },
  });
  const begunMs = performance.now();
  let sentSeconds = 0;
  for await (const item of input) {
    if (item.type !== 'audio') continue;
    say({ type: 'input_audio_buffer.append', audio: Buffer.from(item.pcm).toString('base64') });
    sentSeconds += item.pcm.length / 2 / sampleRate;
    const aheadSeconds = sentSeconds - (performance.now() - begunMs) / 1000;
    if (aheadSeconds > MAX_AHEAD_SECONDS) {
      await sleep((aheadSeconds - MAX_AHEAD_SECONDS) * 1000, session.signal);
    }
  }
  say({ type: 'input_audio_buffer.commit', event_id: LAST_COMMIT });
  // It is answered behind everything that was sent before.
  say({ type: 'input_audio_buffer.clear' });
}

/** Resolves when the sound has ended and no utterance is without its text. */
function readAnswers(socket: WebSocket, { server, signal, onEvent }: RemoteSession): Promise<void> {
  const utterances = new Map<string, number>();
  const utteranceOf = (item: string) => {
    const utterance = utterances.get(item) ?? utterances.size;
    utterances.set(item, utterance);
    return utterance;
  };
  let waiting = 0;
  let isAllHeard = false;
  return new Promise((resolve, reject) => {
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as WireEvent;
      if (message.type === 'error' && message.error.event_id !== LAST_COMMIT) {
        reject(namedError(message.error));
        return;
      }
      const event = toLiveEvent(message, utteranceOf);
      if (event === undefined) return;
      if (event.type === 'committed') waiting += 1;
      if (event.type === 'completed' || event.type === 'failed') waiting -= 1;
      if (event.type === 'cleared') isAllHeard = true;
      onEvent(event);
      if (isAllHeard && waiting === 0) resolve();
    });
    socket.on('error', (cause) => reject(unreachable(server, cause)));
    socket.on('close', (code) => {
      reject(signal.aborted ? abortError(signal) : unreachable(server, new Error(`closed with ${code}`)));
    });
  });
}

const ITEM = 'conversation.item.input_audio_transcription';

/** The events that are looked at here, as the server sends them. */
type WireEvent =
  | { readonly type: 'error'; readonly error: NamedError & { readonly event_id: string | null } }
  | { readonly type: 'input_audio_buffer.speech_started'; item_id: string; audio_start_ms: number }
  | { readonly type: 'input_audio_buffer.committed'; item_id: string }
  | { readonly type: 'input_audio_buffer.cleared' }
  | { readonly type: `${typeof ITEM}.delta`; item_id: string; delta: string }
  | {
      readonly type: `${typeof ITEM}.completed`;
      item_id: string;
      transcript: string;
      usage: { seconds: number };
    }
  | { readonly type: `${typeof ITEM}.failed`; item_id: string; error: NamedError };

function toLiveEvent(event: WireEvent, utteranceOf: (item: string) => number): LiveEvent | undefined {
  switch (event.type) {
    case 'input_audio_buffer.speech_started':
      return { type: 'started', utterance: utteranceOf(event.item_id), atMs: event.audio_start_ms };
    case 'input_audio_buffer.committed':
      return { type: 'committed', utterance: utteranceOf(event.item_id), previous: undefined };
    case 'input_audio_buffer.cleared':
      return { type: 'cleared' };
    case `${ITEM}.delta`:
      return { type: 'delta', utterance: utteranceOf(event.item_id), text: event.delta };
    case `${ITEM}.completed`:
      return {
        type: 'completed',
        utterance: utteranceOf(event.item_id),
        text: event.transcript,
        seconds: event.usage.seconds,
      };
    case `${ITEM}.failed`:
      return { type: 'failed', utterance: utteranceOf(event.item_id), error: wireError(event.error) };
    default:
      // Other events say nothing that is shown.
      return undefined;
  }
}

function wireError(error: NamedError): WireError {
  const { code, message }: { code: ErrorCode; message: string } = namedError(error);
  return { code, message };
}
