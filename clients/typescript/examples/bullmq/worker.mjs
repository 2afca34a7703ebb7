// A worker: runs the jobs of the queue through a connector. BullMQ and the observer tell the rest.
import { runWithTrace, workerTelemetry } from '@emp/events';
import { observeWorker } from '@emp/events/bullmq';
import { Queue, Worker } from 'bullmq';
import {
  CONCURRENCY, LOCK_MS, QUEUE, STALLED_CHECK_MS, WEBHOOKS, connection, endWith, jobId, post,
} from './settings.mjs';

// The same again when it is started anew: so it is known who has died.
const { WORKER_ID: workerId = 'w1', MACHINE_ID: machineId = 'm1' } = process.env;
const events = workerTelemetry.child({ workerId, machineId });
const webhooks = new Queue(WEBHOOKS, { connection });

async function callConnector({ connector, prompt }) {
  const response = await post(`/connectors/${connector}`, { prompt });
  if (response.status === 429) {
    // It is given back, and no job of the queue is taken until then: no attempt is lost by it.
    await worker.rateLimit(1_000 * Number(response.headers.get('retry-after')));
    throw Worker.RateLimitError();
  }
  if (!response.ok) {
    throw new Error(`${connector} answers ${response.status}`);
  }
}

const worker = new Worker(
  QUEUE,
  ({ id, data }) =>
    runWithTrace(data.traceparent, () =>
      events.withJob(id).track('connector.processing', { connectorType: data.connector }, () => callConnector(data)),
    ),
  {
    connection,
    concurrency: CONCURRENCY,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    // More than it ever takes; but without a limit, BullMQ does not look at the one that `rateLimit` sets either.
    limiter: { max: 10_000, duration: 1_000 },
  },
);
const observer = observeWorker(worker, { workerId, machineId, jobId });

const complain = (error) => process.stderr.write(`${workerId}: ${error.message}\n`);
worker.on('completed', ({ id, data }) => {
  const webhook = { jobId: id, traceparent: data.traceparent };
  webhooks.add('completed', webhook, { jobId: id, attempts: 3, backoff: 200 }).catch(complain);
});
worker.on('error', complain);
worker.on('ready', () => process.stdout.write('ready\n'));

endWith(
  () => worker.close(),
  () => observer.stop(),
  () => workerTelemetry.close(),
);
