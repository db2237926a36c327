/** GET /v1/realtime: OpenAI's realtime transcription session over a WebSocket. */
import { IncomingMessage } from 'node:http';
import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest, FastifySchema } from 'fastify';
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import { defaultSettings } from './realtime-events.ts';
import { RealtimeSession } from './realtime-session.ts';
import type { Services } from './services.ts';

const PATH = '/v1/realtime';
/** 60 s of 24 kHz audio as base64 are 3.8 MB, and more would not be heard. */
const MAX_MESSAGE_BYTES = 4 * 1024 ** 2;

/**
 * A server that can upgrade is asked for every request with an `Upgrade` header, also for HTTP/2 in the clear, which Java's client
 * offers with every request. Only WebSockets for our one path are upgrades; the others are answered as if they had not asked.
 */
export class UpgradableRequest extends IncomingMessage {
  /** What Node's parser saw; it is set before the fields of this class are. */
  asksForUpgrade = false;

  get upgrade(): boolean {
    const isWebsocket = this.headers.upgrade?.toLowerCase() === 'websocket';
    return this.asksForUpgrade && isWebsocket && this.method === 'GET' && this.url?.split('?')[0] === PATH;
  }

  set upgrade(asked: boolean | null) {
    this.asksForUpgrade = asked === true;
  }
}

/** Whether the connection is to become a WebSocket. */
export function isUpgrade({ raw }: FastifyRequest): boolean {
  return raw instanceof UpgradableRequest && raw.upgrade;
}

export function registerRealtime(app: FastifyInstance, services: Services): void {
  const sessions = new Set<RealtimeSession>();
  void app.register(async (scope) => {
    await scope.register(websocket, {
      options: { maxPayload: MAX_MESSAGE_BYTES, handleProtocols: chooseProtocol },
      // The socket says it by closing, and the session listens to that.
      errorHandler: (error, socket, request) => {
        request.log.info({ reason: error.message }, 'live connection broken');
        socket.terminate();
      },
      preClose: (done) => {
        for (const session of sessions)
          session.fail(new AppError('shutting_down', 'The server is shutting down.'));
        scope.websocketServer.close();
        done();
      },
    });
    scope.route({
      method: 'GET',
      url: PATH,
      // OpenAPI describes no WebSockets.
      schema: { hide: true } as FastifySchema,
      preHandler: (request) => admit(request, services),
      handler: async () => {},
      wsHandler: (socket, request) => {
        const session = new RealtimeSession({
          socket,
          request,
          speech: services.speech,
          limits: services.options.realtime,
          settings: defaultSettings(readQuery(request).model),
        });
        sessions.add(session);
        socket.once('close', () => sessions.delete(session));
      },
    });
  });
}

/** Refused before the connection is upgraded, so with a status. The turn is held as long as the connection. */
async function admit(request: FastifyRequest, { speech }: Services): Promise<void> {
  if (!request.ws) {
    throw new AppError(
      'invalid_request',
      `${PATH} is a WebSocket: connect with ws:// or wss://, or send a recording to /v1/audio/transcriptions.`,
    );
  }
  const { model } = readQuery(request);
  const turn = speech.admit();
  request.raw.socket.once('close', () => turn.release());
  await speech.check({ model, isLive: true });
}

const query = z.object({
  model: z.string().min(1).default('whisper-1'),
  intent: z.literal('transcription').default('transcription'),
});

function readQuery(request: FastifyRequest): z.output<typeof query> {
  const { success, data, error } = query.safeParse(request.query);
  if (success) return data;
  const [issue] = error.issues;
  const param = issue?.path.join('.') ?? 'query';
  throw new AppError(
    'invalid_request',
    `The parameter "${param}" is not valid: ${issue?.message}. Only intent=transcription is served here.`,
    { param },
  );
}

/** A browser wants one of those that it offers, and one of those may be a key. */
function chooseProtocol(offered: Set<string>): string | false {
  if (offered.has('realtime')) return 'realtime';
  return [...offered].find((name) => !name.startsWith('openai-insecure-api-key.')) ?? false;
}
