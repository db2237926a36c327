/** The HTTP server: limits, request ids, keys, routes and errors around the services. */
import { randomUUID } from 'node:crypto';
import multipart from '@fastify/multipart';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Profile } from '../config/schema.ts';
import { createKeyCheck, isBoard } from './auth.ts';
import { registerBoard } from './board.ts';
import { countLanguage, countSpeech, countVision } from './counted-services.ts';
import { acceptJson } from './json-body.ts';
import { registerLanguage } from './language.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { registerModels } from './models.ts';
import { registerOpenaiAudio } from './openai-audio.ts';
import { registerOpenapi } from './openapi.ts';
import { registerProcess } from './process.ts';
import { isUpgrade, registerRealtime, UpgradableRequest } from './realtime.ts';
import { replyBrokenRequest, replyError, replyNotFound } from './reply-error.ts';
import type { Services } from './services.ts';
import { registerStatus } from './status.ts';
import { registerSystem } from './system.ts';
import { registerTemplates } from './templates.ts';
import { registerTranscribe } from './transcribe.ts';
import { dropUnreadBody } from './unread-body.ts';
import { MAX_FIELD_BYTES } from './uploads.ts';
import { registerVision } from './vision.ts';

const MAX_FIELD_NAME_BYTES = 100;
/** Longer than any proxy in front keeps an idle connection, so that it never sends into a closed one. */
const IDLE_CONNECTION_MS = 75_000;
/** A client's own id is taken when it can do no harm in a log. */
const SAFE_REQUEST_ID = /^[\w.-]{1,128}$/;

/** As nginx counts a request whose client did not wait. */
const CLIENT_GONE = 499;

export type HttpServer = FastifyInstance;

type Register = (app: FastifyInstance, services: Services) => void;

/** What each profile answers: the routes of its seed, and the system's. */
const ROUTES: Readonly<Record<Profile, readonly Register[]>> = {
  all: [
    registerOpenaiAudio,
    registerRealtime,
    registerModels,
    registerTranscribe,
    registerLanguage,
    registerVision,
    registerProcess,
    registerStatus,
    registerTemplates,
    registerSystem,
  ],
  'hailo-whisper': [registerOpenaiAudio, registerRealtime, registerModels, registerSystem],
  'hailo-clip': [registerVision, registerModels, registerSystem],
  maie: [registerProcess, registerStatus, registerTemplates, registerModels, registerSystem],
};

/** A server ready to listen. `services.logger` must be pino's, whose children carry the request id. */
export async function createServer(services: Services): Promise<HttpServer> {
  const { options } = services;
  const app = Fastify({
    loggerInstance: services.logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.maxJsonBytes,
    requestTimeout: options.requestTimeoutMs,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    http: { maxHeaderSize: options.maxHeaderBytes, IncomingMessage: UpgradableRequest },
    requestIdHeader: false,
    genReqId: ({ headers }) => {
      const given = headers['x-request-id'];
      return typeof given === 'string' && SAFE_REQUEST_ID.test(given) ? given : randomUUID();
    },
    frameworkErrors: replyError,
    clientErrorHandler: replyBrokenRequest,
  });
  app.setErrorHandler(replyError);
  app.setNotFoundHandler(replyNotFound);
  const metrics = createMetrics(options.version);
  app.decorate('metrics', metrics);
  addHooks(app, { checkKey: createKeyCheck(options), metrics });
  acceptJson(app);
  await app.register(multipart, {
    preservePath: true,
    limits: {
      files: 1,
      fields: options.maxFields,
      parts: options.maxFields + 1,
      fieldNameSize: MAX_FIELD_NAME_BYTES,
      fieldSize: MAX_FIELD_BYTES,
      headerPairs: 20,
    },
    throwFileSizeLimit: false,
  });
  await registerOpenapi(app, options.version);
  const { speech, language, vision } = services;
  const counted: Services = {
    ...services,
    speech: countSpeech(speech, metrics),
    language: language === undefined ? undefined : countLanguage(language, metrics),
    vision: vision === undefined ? undefined : countVision(vision, metrics),
  };
  for (const register of ROUTES[options.profile]) register(app, counted);
  await registerBoard(app, services);
  return app;
}

function addHooks(
  app: FastifyInstance,
  { checkKey, metrics }: { readonly checkKey: ReturnType<typeof createKeyCheck>; readonly metrics: Metrics },
): void {
  const count = (request: FastifyRequest, reply: FastifyReply, status: number) => {
    const route = request.routeOptions.url ?? 'none';
    metrics.countRequest({ method: request.method, route, status, seconds: reply.elapsedTime / 1000 });
  };
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id);
    // An answer that nobody waited for ends without `onResponse`; so does a WebSocket, which has no answer.
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished && !isUpgrade(request)) count(request, reply, CLIENT_GONE);
    });
    if (isBoard(request.url)) void reply.header('www-authenticate', 'Basic realm="Percept"');
    checkKey(request);
  });
  // A connection that stays open would hold a stopping server until it idles out.
  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
  });
  app.addHook('onSend', async (request, reply) => {
    if (isClosing || isUpgrade(request)) void reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    dropUnreadBody(request);
    // Node has given the connection of an upgrade away, so nobody else would close it after a refusal.
    if (isUpgrade(request)) request.raw.socket.destroy();
    if (reply.raw.writableFinished) count(request, reply, reply.statusCode);
    const fields = {
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    };
    request.log.info(fields, 'request');
  });
  app.addHook('onRequestAbort', async (request) => {
    request.log.info({ method: request.method, route: request.routeOptions.url ?? 'none' }, 'client gone');
  });
}
