/** GET /health, /health/ready and /metrics. */
import type { FastifyInstance } from 'fastify';
import { AppError } from '../base/errors.ts';
import type { Services } from './services.ts';

export function registerSystem(app: FastifyInstance, { system, options }: Services): void {
  app.get('/health', { config: { summary: 'Whether the service works' } }, async (_request, reply) => {
    const health = await system.health();
    const isHealthy = health.workerActive;
    return reply.status(isHealthy ? 200 : 503).send({
      status: isHealthy ? 'healthy' : 'unhealthy',
      version: options.version,
      timestamp: new Date().toISOString(),
      // The queue is inside this process, so it is connected while the process answers.
      queue_connected: true,
      redis_connected: true,
      queue_depth: health.queueDepth,
      worker_active: health.workerActive,
      models_loaded: health.models.map(({ name, state, memoryBytes }) => ({
        name,
        state,
        memory: memoryBytes,
      })),
    });
  });
  app.get(
    '/metrics',
    { config: { summary: 'Counts for Prometheus, or as JSON' } },
    async (request, reply) => {
      const { metrics } = request.server;
      const health = await system.health();
      if (/\bapplication\/json\b/.test(request.headers.accept ?? '')) return metrics.toJson(health);
      return reply.type(metrics.contentType).send(await metrics.toText(health));
    },
  );
  app.get('/health/ready', { config: { summary: 'Whether the default model answers' } }, async () => {
    const reason = system.notReady();
    if (reason !== undefined) throw new AppError('model_loading', reason, { retryAfterSeconds: 2 });
    return { status: 'ready', version: options.version, timestamp: new Date().toISOString() };
  });
}
