// A sandboxed processor of BullMQ, started by exits.test.mjs.
import { workerTelemetry } from '@emp/events';

export default async function (job) {
  workerTelemetry.jobEvent(job.id, 'job.completed', { n: job.data.n });
}
