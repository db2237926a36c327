/** Recordings through a running server, by the same API that everyone uses. */
import { openAsBlob } from 'node:fs';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import { abortError } from '../base/abort.ts';
import { readServerEvents } from '../base/server-events.ts';
import type { StatusReport, StatusSummary } from '../intelligence/status-report.ts';
import type { RemoteServer } from './ask-server.ts';
import { postForm } from './post-form.ts';
import type { TaskClient } from './task-client.ts';
import { type NamedError, namedError, routeOf, serverError, unreachable } from './transcribe-remotely.ts';

/** Throws the server's own error, or `server_unreachable`. The file streams from disk. */
export function processRemotely({ server, apiKey }: RemoteServer): TaskClient {
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  const reach = (signal: AbortSignal) => (cause: unknown) => {
    throw signal.aborted ? abortError(signal) : unreachable(server, cause);
  };

  async function ask(route: string, signal: AbortSignal): Promise<Response> {
    const answer = await fetch(routeOf(server, route), { headers, signal }).catch(reach(signal));
    if (!answer.ok) throw serverError(answer.status, await answer.text());
    return answer;
  }

  return {
    async submit(path, request, signal) {
      const form = new FormData();
      for (const feature of request.features) form.append('features', feature);
      form.append('priority', request.priority);
      const fields = {
        template_id: request.templateId,
        webhook_url: request.webhookUrl,
        model: request.speechModel,
        language: request.language,
        word_timestamps: request.wordTimestamps,
      };
      for (const [name, value] of Object.entries(fields))
        if (value !== null) form.append(name, String(value));
      form.append('file', await openAsBlob(path), basename(path));
      const answer = await postForm(routeOf(server, 'process'), { form, headers, signal }).catch(
        reach(signal),
      );
      if (answer.status !== 202) throw serverError(answer.status, answer.body);
      return (JSON.parse(answer.body) as { task_id: string }).task_id;
    },
    async *watch(id, signal) {
      // Not fetch, which gives a line up after five minutes.
      const answer = await openStream(routeOf(server, `status/${id}/events`), { headers, signal }).catch(
        reach(signal),
      );
      if (answer.statusCode !== 200) throw serverError(answer.statusCode!, await text(answer));
      for await (const { name, data } of readServerEvents(answer)) {
        if (name === 'error') throw namedError((JSON.parse(data) as { error: NamedError }).error);
        yield JSON.parse(data) as StatusSummary;
      }
    },
    status: async (id, signal) => (await (await ask(`status/${id}`, signal)).json()) as StatusReport,
    async close() {},
  };
}

function openStream(
  url: string,
  options: { readonly headers: Record<string, string>; readonly signal: AbortSignal },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? requestHttps : requestHttp;
    send(url, { ...options, agent: false })
      .once('response', resolve)
      .on('error', reject)
      .end();
  });
}
