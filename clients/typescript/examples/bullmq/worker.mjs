// A worker: runs the jobs of the queue through a connector. BullMQ and the observer tell the rest.
import { runWithTrace, workerTelemetry } from '@emp/events';
import { observeWorker } from '@emp/events/bullmq';
import { Queue, Worker } from 'bullmq';
import { LOCK_MS, QUEUE, STALLED_CHECK_MS, WEBHOOKS, connection, endWith, jobId, post } from './settings.mjs';

// The same again when it is started anew: so it is known who has died.
const { WORKER_ID: workerId = 'w1', MACHINE_ID: machineId = 'm1' } = process.env;
const events = workerTelemetry.child({ workerId, machineId });
const webhooks = new Queue(WEBHOOKS, { connection });

async function callConnector({ connector, prompt }) {
  const response = await post(`/connectors/${connector}`, { prompt });
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
  { connection, concurrency: 10, lockDuration: LOCK_MS, stalledInterval: STALLED_CHECK_MS },
);
const observer = observeWorker(worker, { workerId, machineId, jobId });

worker.on('completed', ({ id, data }) => {
  // Told once, though a job may be completed by two workers: BullMQ takes each id once.
  const { traceparent } = data;
  void webhooks.add('completed', { jobId: id, traceparent }, { jobId: id, attempts: 3, backoff: 200 });
});
worker.on('error', (error) => process.stderr.write(`${workerId}: ${error.message}\n`));
worker.on('ready', () => process.stdout.write('ready\n'));

endWith(
  () => worker.close(),
  () => observer.stop(),
  () => workerTelemetry.close(),
);
