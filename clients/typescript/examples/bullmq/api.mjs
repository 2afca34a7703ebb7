// The API server: puts jobs into a queue of BullMQ's, and tells what happens to them there.
import { randomBytes } from 'node:crypto';
import { apiTelemetry, runWithTrace, traceFromHeaders, traceparent } from '@emp/events';
import { observeQueue } from '@emp/events/bullmq';
import { FlowProducer, Queue, QueueEvents } from 'bullmq';
import express from 'express';
import { API_PORT, QUEUE, connection, endWith, jobId } from './settings.mjs';

const queue = new Queue(QUEUE, { connection });
const flows = new FlowProducer({ connection });
const queueEvents = new QueueEvents(QUEUE, { connection });
const observer = observeQueue(queueEvents, { jobId });

const app = express();
// Every event of a request carries its trace: the caller's, or a new one.
app.use((request, _response, next) => runWithTrace(traceFromHeaders(request.headers), next));
app.use(express.json());

app.post('/jobs', async (request, response) => {
  const { type = 'image', prompt = 'a cat', connector = 'comfyui', attempts = 3, delayMs = 0 } = request.body;
  const id = `job_${randomBytes(6).toString('hex')}`;
  const data = { prompt, connector, traceparent: traceparent() };
  const backoff = { type: 'exponential', delay: 100 };
  try {
    await queue.add(type, data, { jobId: id, attempts, backoff, delay: delayMs, removeOnComplete: 1_000 });
    response.status(201).json({ id });
  } catch (error) {
    // The queue has not seen it: nobody else can tell.
    apiTelemetry.jobEvent(id, 'job.creation_failed', { jobType: type, queueName: QUEUE, error: error.message });
    response.status(503).json({ id, error: error.message });
  }
});

// An album waits for its pictures, and then for a worker of its own.
app.post('/albums', async (request, response) => {
  const { pictures = 2, connector = 'comfyui' } = request.body;
  const job = (name) => ({
    name,
    queueName: QUEUE,
    data: { prompt: 'a cat', connector, traceparent: traceparent() },
    opts: { jobId: `job_${randomBytes(6).toString('hex')}` },
  });
  const children = Array.from({ length: pictures }, () => job('image'));
  const album = { ...job('album'), children };
  await flows.add(album);
  response.status(201).json({ id: album.opts.jobId, pictures: children.map(({ opts }) => opts.jobId) });
});

app.post('/queue/:action', async ({ params }, response) => {
  await (params.action === 'pause' ? queue.pause() : queue.resume());
  response.sendStatus(204);
});

apiTelemetry.event('server.starting', { port: API_PORT });
await queueEvents.waitUntilReady();
const server = app.listen(API_PORT, '127.0.0.1', () => {
  apiTelemetry.event('server.ready', { port: API_PORT, pid: process.pid });
  process.stdout.write('ready\n');
});

endWith(
  () => apiTelemetry.event('server.shutting_down', { reason: 'SIGTERM' }),
  () => server.close(),
  () => observer.stop(),
  () => apiTelemetry.close(),
);
