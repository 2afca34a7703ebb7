import { errorMonitor } from 'node:events';
import { hostname } from 'node:os';
import type { EventClient } from '../client.js';
import { workerTelemetry } from '../index.js';
import { Heart } from './heart.js';
import { jobIdOf, traceIdOf } from './identity.js';
import { Listening, type Observer } from './listening.js';
import type { JobIdentity, JobLike, WorkerLike } from './shapes.js';
import { WorkerTeller } from './worker_teller.js';

/** What may differ from the defaults of `observeWorker`. */
export interface WorkerObserverOptions {
  /** A name that the worker has again when it is started anew: only so it can be said that it was. Default: the name
   * in BullMQ's options, else the host's name and the process' number. */
  workerId?: string;
  /** Default: the host's name. */
  machineId?: string;
  /** Whose events they are. Default: `workerTelemetry`. */
  client?: EventClient;
  /** A job's id in its events, the same as in `observeQueue`. Default: `queue:id`. */
  jobId?: (job: JobIdentity) => string;
  /** The trace that a job belongs to. Default: `traceId` or `traceparent` of its data. */
  traceId?: (job: JobLike) => string | undefined;
  /** How often the worker says that it lives. Default: every 10,000 ms; 0 is never. */
  heartbeatMs?: number;
}

const HEARTBEAT_MS = 10_000;

/**
 * Tells what a worker does: `job.claimed`, `job.processing_started`, `job.progress_updated`, `job.completed`,
 * `job.retry_scheduled`, `job.failed`, with BullMQ's own times, and `worker.starting`, `worker.ready`,
 * `worker.heartbeat`, `worker.shutting_down`, `worker.stopped`.
 */
export function observeWorker(worker: WorkerLike, options: WorkerObserverOptions = {}): Observer {
  const client = options.client ?? workerTelemetry;
  const workerId = options.workerId ?? worker.opts.name ?? `${hostname()}-${process.pid}`;
  const teller = new WorkerTeller(worker.name, client.child({ workerId, machineId: options.machineId ?? hostname() }), {
    jobId: options.jobId ?? jobIdOf,
    traceId: options.traceId ?? traceIdOf,
  });
  const heart = new Heart(options.heartbeatMs ?? HEARTBEAT_MS, () => teller.worker('heartbeat'));
  const listening = new Listening(worker, client);
  teller.worker('starting', { concurrency: worker.opts.concurrency, pid: process.pid });
  listenToJobs(listening, teller);
  listenToWorker(listening, teller, heart);
  return {
    stop: async () => {
      heart.stop();
      listening.end();
      await client.flush();
    },
  };
}

function listenToJobs(listening: Listening, tell: WorkerTeller): void {
  listening.on('active', (job: JobLike) => tell.begun(job));
  listening.on('progress', (job: JobLike, progress: unknown) => tell.progressed(job, progress));
  listening.on('completed', (job: JobLike) => tell.completed(job));
  listening.on('failed', (job: JobLike | undefined, error: Error) => {
    // A job that was removed has nothing more to be told of.
    if (job) {
      tell.failed(job, error);
    }
  });
}

function listenToWorker(listening: Listening, tell: WorkerTeller, heart: Heart): void {
  listening.on('ready', () => tell.worker('ready'));
  listening.on('closing', () => tell.worker('shutting_down'));
  listening.on('closed', () => {
    heart.stop();
    tell.worker('stopped');
  });
  listening.on('lockRenewalFailed', (ids: string[]) => tell.worker('lock_renewal_failed', { jobs: ids.map(tell.idOf) }));
  // Whoever else listens for errors, or does not, is left as it is. BullMQ emits one that nobody hears twice.
  let last: Error | undefined;
  listening.on(errorMonitor, (error: Error) => {
    if (error !== last) {
      last = error;
      tell.worker('error', { error: error.message });
    }
  });
}
