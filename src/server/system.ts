/** GET /health, /health/ready and /metrics. */
import type { FastifyInstance } from 'fastify';
import { AppError } from '../base/errors.ts';
import type { Services } from './services.ts';

export function registerSystem(app: FastifyInstance, { system, intelligence, options }: Services): void {
  app.get('/health', { config: { summary: 'Whether the service works' } }, async (_request, reply) => {
    const [health, tasks] = await Promise.all([system.health(), intelligence?.health()]);
    const isConnected = tasks?.isConnected ?? true;
    const hasWorker = health.workerActive && (tasks?.hasWorker ?? true);
    const isHealthy = isConnected && hasWorker;
    return reply.status(isHealthy ? 200 : 503).send({
      status: isHealthy ? 'healthy' : 'unhealthy',
      version: options.version,
      timestamp: new Date().toISOString(),
      queue_connected: isConnected,
      redis_connected: isConnected,
      // All that is not done yet but for the recordings that a worker has.
      queue_depth: health.queueDepth + (tasks?.waiting ?? 0),
      requests: health.queueDepth,
      tasks_waiting: tasks?.waiting ?? 0,
      tasks_running: tasks?.running ?? 0,
      worker_active: hasWorker,
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
      const [health, tasks] = await Promise.all([system.health(), intelligence?.health()]);
      if (/\bapplication\/json\b/.test(request.headers.accept ?? '')) return metrics.toJson(health, tasks);
      return reply.type(metrics.contentType).send(await metrics.toText(health, tasks));
    },
  );
  app.get('/health/ready', { config: { summary: 'Whether the default model answers' } }, async () => {
    const reason = system.notReady();
    if (reason !== undefined) throw new AppError('model_loading', reason, { retryAfterSeconds: 2 });
    return { status: 'ready', version: options.version, timestamp: new Date().toISOString() };
  });
}
