// The webhook service: tells the customer that a job is done. These are jobs of BullMQ's too, which are part of the life
// of the job that they tell of: their events are emitted by hand, in its name.
import { runWithTrace, startTimer, webhookTelemetry } from '@emp/events';
import { Worker } from 'bullmq';
import { OUTSIDE, WEBHOOKS, connection, endWith, post } from './settings.mjs';

async function deliver({ data, opts, attemptsStarted }) {
  const events = webhookTelemetry.withJob(data.jobId);
  const hook = { url: `${OUTSIDE}/customer`, attempt: attemptsStarted, maxAttempts: opts.attempts };
  const timer = startTimer();
  events.event('webhook.delivering', hook);
  const { ok, status: statusCode } = await post('/customer', { jobId: data.jobId });
  if (!ok) {
    const error = `the customer answers ${statusCode}`;
    events.event('webhook.delivery_failed', { ...hook, statusCode, error, responseTimeMs: timer() });
    throw new Error(error);
  }
  events.event('webhook.delivered', { ...hook, statusCode, responseTimeMs: timer() });
}

const worker = new Worker(WEBHOOKS, (job) => runWithTrace(job.data.traceparent, () => deliver(job)), {
  connection,
  concurrency: 8,
});
worker.on('error', (error) => process.stderr.write(`webhook: ${error.message}\n`));
worker.on('ready', () => process.stdout.write('ready\n'));

endWith(
  () => webhookTelemetry.event('server.shutting_down', { reason: 'SIGTERM' }),
  () => worker.close(),
  () => webhookTelemetry.close(),
);
