// A worker: claims jobs and runs them through a connector.
import { runWithTrace, startTimer, workerTelemetry } from '@emp/events';
import { API_PORT, postJson, work } from './settings.mjs';

const workerId = process.env.EXAMPLE_WORKER_ID ?? 'worker-1';
const machineId = process.env.EXAMPLE_MACHINE_ID ?? 'gpu01';
const CONNECTOR = 'comfyui';
const api = `http://127.0.0.1:${API_PORT}`;
const events = workerTelemetry.child({ workerId, machineId });
let stopping = false;

async function run(job) {
  const jobEvents = events.withJob(job.id);
  const timer = startTimer();
  jobEvents.event('job.claimed', { claimTimeMs: Date.now() - job.createdAt });
  // Tells of processing_started, and then of processing_completed or processing_failed.
  await jobEvents.track('connector.processing', { connectorType: CONNECTOR }, async () => {
    for (const progress of [25, 50, 75, 100]) {
      await work(30);
      jobEvents.event('job.progress_updated', { progress });
    }
  });
  jobEvents.event('job.completed', { resultType: 'image', hasAssets: true, completionTimeMs: timer() });
  await postJson(`${api}/complete`, { jobId: job.id }, { traceparent: job.traceparent });
}

async function claim() {
  const job = await postJson(`${api}/claim`, { workerId });
  if (job) {
    await runWithTrace(job.traceparent, () => run(job));
  } else {
    await work(20);
  }
}

process.once('SIGTERM', () => {
  stopping = true;
});

events.event('worker.starting', { capabilities: [CONNECTOR] });
events.event('worker.ready', { connectorTypes: [CONNECTOR] });
process.send?.('ready');
while (!stopping) {
  try {
    await claim();
  } catch (error) {
    events.event('worker.claim_failed', { error: error.message });
    await work(200);
  }
}
events.event('worker.stopped', { reason: 'SIGTERM' });
await workerTelemetry.close();
process.exit(0);
