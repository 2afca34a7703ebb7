// The webhook service: tells the customer that a job is done.
import { createServer } from 'node:http';
import { runWithTrace, traceFromHeaders, webhookTelemetry } from '@emp/events';
import { WEBHOOK_PORT, readJson, work } from './settings.mjs';

async function notify(request, response) {
  const { jobId } = await readJson(request);
  const events = webhookTelemetry.withJob(jobId);
  const hook = { url: 'https://customer.example/hooks/jobs', attempt: 1 };
  events.event('webhook.delivering', hook);
  const startedAt = Date.now();
  await work(15);
  events.event('webhook.delivered', { ...hook, statusCode: 200, responseTimeMs: Date.now() - startedAt });
  process.send?.({ done: jobId });
  response.writeHead(204).end();
}

const server = createServer((request, response) => {
  void runWithTrace(traceFromHeaders(request.headers), () => notify(request, response));
});
server.listen(WEBHOOK_PORT, '127.0.0.1', () => {
  webhookTelemetry.event('server.ready', { port: WEBHOOK_PORT });
  process.send?.('ready');
});

process.once('SIGTERM', async () => {
  webhookTelemetry.event('server.shutting_down', { reason: 'SIGTERM' });
  server.close();
  server.closeAllConnections();
  await webhookTelemetry.close();
  process.exit(0);
});
