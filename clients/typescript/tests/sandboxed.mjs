// A sandboxed processor of BullMQ, started by exits.test.mjs. When it ends it leaves its counts in a file of the folder
// COUNTS.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { workerTelemetry } from '@emp/events';

let countsAtExit = false;

export default async function (job) {
  workerTelemetry.jobEvent(job.id, 'job.completed', { n: job.data.n });
  if (!countsAtExit) {
    countsAtExit = true;
    // After the client's own listener, which came with the first event.
    process.on('exit', () => writeFileSync(join(process.env.COUNTS, `${process.pid}-${threadId}`), JSON.stringify(workerTelemetry.stats())));
  }
}
