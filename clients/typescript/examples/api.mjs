// The API server: takes jobs, hands them to workers, and hears of their progress.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { apiTelemetry, runWithTrace, startTimer, traceFromHeaders, traceparent } from '@emp/events';
import { API_PORT, WEBHOOK_PORT, postJson, readJson } from './settings.mjs';

const jobs = new Map();
const queue = [];

function createJob(request, body) {
  const job = { id: `job_${randomBytes(6).toString('hex')}`, type: body.type ?? 'image', createdAt: Date.now() };
  const events = apiTelemetry.child({ jobId: job.id, userId: body.userId });
  // The workers go on with this trace.
  job.traceparent = traceparent();
  jobs.set(job.id, job);
  events.event('job.created', { jobType: job.type, priority: body.priority ?? 'normal' });
  queue.push(job);
  events.event('job.queued', { queueName: 'default', queueLength: queue.length });
  return [201, { id: job.id }];
}

function claimJob(_request, body) {
  const job = queue.shift();
  if (!job) {
    return [200, null];
  }
  job.workerId = body.workerId;
  return [200, job];
}

async function completeJob(_request, body) {
  const job = jobs.get(body.jobId);
  if (!job) {
    return [404, { error: 'no such job' }];
  }
  job.done = true;
  await postJson(`http://127.0.0.1:${WEBHOOK_PORT}/notify`, { jobId: job.id }, { traceparent: traceparent() });
  return [200, {}];
}

function health() {
  const timer = startTimer();
  const status = { status: 'ok', queued: queue.length };
  apiTelemetry.event('health_check.performed', { ...status, responseTimeMs: timer() });
  return [200, status];
}

const ROUTES = {
  'POST /jobs': createJob,
  'POST /claim': claimJob,
  'POST /complete': completeJob,
  'GET /health': health,
};

async function answer(request, response) {
  const route = `${request.method} ${request.url}`;
  try {
    const [status, body] = (await ROUTES[route]?.(request, await readJson(request))) ?? [404, { error: 'no such route' }];
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  } catch (error) {
    apiTelemetry.event('api.error', { route: request.url, method: request.method, error: error.message, statusCode: 500 });
    response.writeHead(500).end('{}');
  }
}

apiTelemetry.event('server.starting', { port: API_PORT });
const server = createServer((request, response) => {
  // Every event of a request carries its trace: the caller's, or a new one.
  void runWithTrace(traceFromHeaders(request.headers), () => answer(request, response));
});
server.listen(API_PORT, '127.0.0.1', () => {
  apiTelemetry.event('server.ready', { port: API_PORT, pid: process.pid });
  process.send?.('ready');
});

process.once('SIGTERM', async () => {
  apiTelemetry.event('server.shutting_down', { reason: 'SIGTERM' });
  server.close();
  server.closeAllConnections();
  await apiTelemetry.close();
  process.exit(0);
});
