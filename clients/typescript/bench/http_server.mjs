// An API server that emits three events a request, or none.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { EventClient, runWithTrace } from '@emp/events';

const client = new EventClient('api-server', { enabled: process.env.BENCH_EVENTS === '1', ratePerSecond: 0 });
let requests = 0;

/** Stands for what a request does: some parsing, some hashing, some JSON. */
function handle() {
  const job = { id: `job_${(requests += 1)}`, type: 'image', prompt: 'a lighthouse in the rain'.repeat(20) };
  job.digest = createHash('sha256').update(JSON.stringify(job)).digest('hex');
  client.jobEvent(job.id, 'job.created', { userId: 'user_1', jobType: job.type, priority: 'normal' });
  client.jobEvent(job.id, 'job.queued', { queueName: 'default' });
  const text = JSON.stringify(job);
  client.event('api.answered', { route: '/jobs', statusCode: 201, size: text.length });
  return text;
}

const server = createServer((_, response) => {
  runWithTrace(undefined, () => response.writeHead(201, { 'content-type': 'application/json' }).end(handle()));
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
