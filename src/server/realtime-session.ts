/** One realtime connection: OpenAI's events on one side, a live session of the speech service on the other. */
import { randomBytes } from 'node:crypto';
import type { WebSocket } from '@fastify/websocket';
import type { FastifyRequest } from 'fastify';
import { type Channel, createChannel } from '../base/channel.ts';
import { AppError, toAppError } from '../base/errors.ts';
import type { LiveInput } from '../speech/live.ts';
import type { SpeechService } from '../speech/service.ts';
import { ERROR_STATUS } from './error-status.ts';
import {
  errorEvent,
  liveEvent,
  type ServerEvent,
  type SessionIdentity,
  sessionEvent,
} from './realtime-answers.ts';
import {
  type ClientEvent,
  parseClientEvent,
  type SessionSettings,
  updatedSettings,
  wholeSamples,
} from './realtime-events.ts';
import { reportError } from './reply-error.ts';

export interface RealtimeLimits {
  /** Longest time without a message of the client's. */
  readonly idleTimeoutMs: number;
  /** Longest session. */
  readonly maxDurationMs: number;
  /** Most audio that may wait to be heard. */
  readonly maxBacklogSeconds: number;
}

export interface RealtimeParts {
  readonly socket: WebSocket;
  readonly request: FastifyRequest;
  readonly speech: Pick<SpeechService, 'listen' | 'check'>;
  readonly limits: RealtimeLimits;
  readonly settings: SessionSettings;
}

/** A client that is gone without a word answers no ping. */
const PING_MS = 30_000;
/** Events are small: a client that has so much unread reads nothing. */
const MAX_UNREAD_BYTES = 2 ** 20;
/** How long a client may take to close its side. */
const CLOSE_MS = 2000;
/** RFC 6455, section 7.4.1. */
const CLOSE_CODES = { goingAway: 1001, policy: 1008, failed: 1011 } as const;

interface Waiting {
  readonly input: LiveInput;
  readonly seconds: number;
}

/**
 *   configured -> listening -> over      the model is leased with the first audio; until then the client may choose another
 *   configured -> over
 */
export class RealtimeSession {
  readonly #parts: RealtimeParts;
  readonly #identity: SessionIdentity;
  readonly #begunMs = performance.now();
  /** Ends the work for this session. */
  readonly #gone = new AbortController();
  readonly #timers: NodeJS.Timeout[];
  readonly #idle: NodeJS.Timeout;
  #settings: SessionSettings;
  /** To the model; defined once the session is listening. */
  #input: Channel<Waiting> | undefined;
  /** Audio that was received and that the model has not taken. */
  #unheardSeconds = 0;
  #audioSeconds = 0;
  #events = 0;
  #isOver = false;
  #hasPong = true;
  /** Messages are handled one after another. */
  #handled: Promise<void> = Promise.resolve();

  constructor(parts: RealtimeParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
    const { socket, limits } = parts;
    this.#identity = {
      id: randomBytes(12).toString('hex'),
      expiresAt: Math.floor((Date.now() + limits.maxDurationMs) / 1000),
    };
    this.#idle = setTimeout(() => this.fail(this.#idleError()), limits.idleTimeoutMs);
    this.#timers = [
      this.#idle,
      setTimeout(() => this.fail(this.#tooLongError()), limits.maxDurationMs),
      setInterval(() => this.#ping(), PING_MS),
    ];
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on('pong', () => {
      this.#hasPong = true;
    });
    socket.on('close', () => this.#end());
    this.#send(sessionEvent('session.created', this.#settings, this.#identity));
  }

  /** Tells the client why, and closes. */
  fail(thrown: unknown): void {
    if (this.#isOver) return;
    const { socket, request } = this.#parts;
    const { status, body } = reportError(thrown, request);
    this.#send(errorEvent({ ...body.error, event_id: null }));
    this.#end();
    const { goingAway, policy, failed } = CLOSE_CODES;
    socket.close(body.error.code === 'shutting_down' ? goingAway : status < 500 ? policy : failed);
    setTimeout(() => socket.terminate(), CLOSE_MS).unref();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#input?.end();
    this.#gone.abort(new AppError('cancelled', 'The client closed the connection.'));
    const ms = Math.round(performance.now() - this.#begunMs);
    this.#parts.request.log.info({ ms, audioSeconds: Math.round(this.#audioSeconds) }, 'live session ended');
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#idle.refresh();
    this.#handled = this.#handled.then(async () => {
      if (this.#isOver) return;
      const event = isBinary ? undefined : parseClientEvent(data.toString());
      try {
        await this.#handle(event?.read() ?? { type: 'append', pcm: wholeSamples(data) }, event?.eventId);
      } catch (thrown) {
        this.#refuse(toAppError(thrown), event?.eventId);
      }
    });
  }

  async #handle(event: ClientEvent, eventId: string | undefined): Promise<void> {
    switch (event.type) {
      case 'append':
        return this.#append(event.pcm);
      case 'update':
        return this.#update(updatedSettings(this.#settings, event.session));
      case 'commit':
        return this.#push({ type: 'commit', ref: eventId }, 0);
      case 'clear':
        return this.#push({ type: 'clear' }, 0);
      default:
        event satisfies never;
    }
  }

  #append(pcm: Uint8Array): void {
    const seconds = pcm.length / 2 / this.#settings.sampleRate;
    const { maxBacklogSeconds } = this.#parts.limits;
    if (this.#unheardSeconds + seconds > maxBacklogSeconds) {
      this.fail(backlogError(maxBacklogSeconds));
      return;
    }
    this.#audioSeconds += seconds;
    this.#push({ type: 'audio', pcm }, seconds);
  }

  async #update(settings: SessionSettings): Promise<void> {
    const { speech, socket } = this.#parts;
    const isOtherModel = settings.model !== this.#settings.model;
    if (isOtherModel && this.#input !== undefined) {
      throw new AppError(
        'invalid_request',
        'The model cannot change once audio was sent. Open another session for another model.',
        { param: 'session.audio.input.transcription.model' },
      );
    }
    // What follows waits for the check, and must not pile up meanwhile.
    socket.pause();
    const { model, language } = settings;
    await speech.check({ model, language, isLive: true }).finally(() => socket.resume());
    this.#settings = settings;
    if (this.#input !== undefined) this.#push({ type: 'configure', settings }, 0);
    this.#send(sessionEvent('session.updated', settings, this.#identity));
  }

  #push(input: LiveInput, seconds: number): void {
    this.#input ??= this.#listen();
    this.#unheardSeconds += seconds;
    this.#input.push({ input, seconds });
  }

  #listen(): Channel<Waiting> {
    const channel = createChannel<Waiting>();
    this.#parts.speech
      .listen(this.#taken(channel), this.#settings, {
        signal: this.#gone.signal,
        onEvent: (event) => this.#send(liveEvent(event, this.#identity)),
      })
      .catch((error: unknown) => this.fail(error));
    return channel;
  }

  /** The next is asked for when the model has taken the last. */
  async *#taken(channel: Channel<Waiting>): AsyncGenerator<LiveInput> {
    for await (const { input, seconds } of channel) {
      yield input;
      this.#unheardSeconds -= seconds;
    }
  }

  /** The client's own mistake: told to the client, and the session goes on. */
  #refuse(error: AppError, eventId: string | undefined): void {
    if (error.code === 'internal') {
      this.fail(error);
      return;
    }
    const { code, message, param = null } = error;
    this.#send(
      errorEvent({ type: ERROR_STATUS[code].type, code, message, param, event_id: eventId ?? null }),
    );
  }

  #send(event: ServerEvent): void {
    const { socket } = this.#parts;
    if (this.#isOver || socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > MAX_UNREAD_BYTES) {
      socket.terminate();
      return;
    }
    this.#events += 1;
    socket.send(JSON.stringify({ event_id: `event_${this.#identity.id}_${this.#events}`, ...event }));
  }

  #ping(): void {
    const { socket } = this.#parts;
    if (this.#hasPong) socket.ping();
    else socket.terminate();
    this.#hasPong = false;
  }

  #idleError(): AppError {
    const seconds = this.#parts.limits.idleTimeoutMs / 1000;
    return new AppError('timeout', `Nothing was sent for ${seconds} s, so the session is closed.`);
  }

  #tooLongError(): AppError {
    const seconds = this.#parts.limits.maxDurationMs / 1000;
    return new AppError(
      'audio_too_long',
      `The session has lasted ${seconds} s, the longest here. Open another.`,
    );
  }
}

function backlogError(seconds: number): AppError {
  return new AppError(
    'audio_backlog',
    `More than ${seconds} s of audio wait to be heard. Send it no faster than it is spoken, or ask for a smaller model.`,
  );
}
