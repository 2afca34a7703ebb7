// Compiled by `npm test`, never run: what applications hand over must fit the declared types.
import type { IncomingMessage } from 'node:http';
import { EventClient, type KnownEventType, apiTelemetry, runWithTrace, startTimer, traceFromHeaders } from '@emp/events';
import { observeQueue, observeWorker } from '@emp/events/bullmq';
import { type Job, QueueEvents, Worker } from 'bullmq';
import { Cluster, Redis } from 'ioredis';
import { createClient } from 'redis';
import { createClient as createClientOf4 } from 'redis-4';

export const clients: EventClient[] = [
  new EventClient('a', { redis: new Redis({ lazyConnect: true }) }),
  new EventClient('b', { redis: new Cluster([]) }),
  new EventClient('c', { redis: createClient() }),
  new EventClient('d', { redis: createClientOf4() }),
  new EventClient('e', { sample: { 'job.progress_updated': 0.1 }, onProblem: 'stderr', level: 'info' }),
];

/** A service may hold itself to the names that verdicts understand. */
export const delivered: KnownEventType = 'webhook.delivered';
// @ts-expect-error: no verdict understands it
export const sent: KnownEventType = 'webhook.sent';

/** Neither has an index signature. */
interface JobDone {
  durationMs: number;
}

export async function handle(request: IncomingMessage): Promise<number> {
  await apiTelemetry.event('api.error', new Error('no'));
  void apiTelemetry.child({ jobId: undefined }).workerEvent('w1', 'worker.ready', { at: new Date() }, { level: 'warn' });
  const { durationMs } = startTimer();
  const done: JobDone = { durationMs };
  void apiTelemetry.jobEvent('j1', 'job.completed', done);
  const traceId: string | undefined = traceFromHeaders(request.headers) ?? traceFromHeaders(new Headers());
  const seven: number = await runWithTrace(traceId, async () => apiTelemetry.track('job.processing', {}, async () => 7));
  return seven + durationMs;
}

/** What a job of theirs holds. */
interface Order {
  orderId: string;
}

export async function observe(): Promise<void> {
  const worker = new Worker<Order, number, 'ship'>('orders', async (job: Job<Order, number>) => job.data.orderId.length, {
    connection: { port: 6379 },
  });
  const observers = [
    observeWorker(worker, { workerId: 'w1', machineId: 'm1', traceId: ({ data }) => String(data), heartbeatMs: 0 }),
    observeWorker(new Worker('mails')),
    observeQueue(new QueueEvents('orders'), { client: new EventClient('orders'), jobId: ({ id }) => id }),
  ];
  await Promise.all(observers.map((observer) => observer.stop()));
}
