import type { BoundClient } from '../bound_client.js';
import { now } from '../clock.js';
import type { EventData } from '../types.js';
import type { JobEventType } from '../vocabulary.js';
import type { JobIdentity, JobLike } from './shapes.js';

/** How jobs are named in events. */
export interface Naming {
  jobId: (job: JobIdentity) => string;
  traceId: (job: JobLike) => string | undefined;
}

/** Tells the events of one worker. */
export class WorkerTeller {
  readonly #queueName: string;
  readonly #events: BoundClient;
  readonly #naming: Naming;

  constructor(queueName: string, events: BoundClient, naming: Naming) {
    this.#queueName = queueName;
    this.#events = events;
    this.#naming = naming;
  }

  /** Tells of the worker itself. */
  worker(action: string, data: EventData = {}): void {
    void this.#events.event(`worker.${action}`, { queueName: this.#queueName, ...data });
  }

  /** A job's id as its events have it. */
  readonly idOf = (id: string): string => this.#naming.jobId({ id, queueName: this.#queueName });

  /** The worker has a job, and begins with it. */
  begun(job: JobLike): void {
    this.#job('job.claimed', job, job.processedOn, {
      jobType: job.name,
      maxAttempts: attemptsOf(job),
      claimTimeMs: waited(job),
      parentJobId: this.#parentOf(job),
    });
    // BullMQ hands it to the processor at once, so this says nothing new but that nothing is missing in between.
    this.#job('job.processing_started', job, job.processedOn);
  }

  progressed(job: JobLike, progress: unknown): void {
    this.#job('job.progress_updated', job, undefined, { progress });
  }

  completed(job: JobLike): void {
    this.#job('job.completed', job, job.finishedOn, { durationMs: took(job, job.finishedOn) });
  }

  /** An attempt has failed: the job has ended with it, or will be tried again. */
  failed(job: JobLike, error: Error): void {
    const { finishedOn } = job;
    const said = { error: error.message, maxAttempts: attemptsOf(job), willRetry: finishedOn === undefined };
    if (finishedOn !== undefined) {
      this.#job('job.failed', job, finishedOn, { ...said, durationMs: took(job, finishedOn) });
      return;
    }
    const failedOn = now();
    const times = { nextRetryAt: failedOn + job.delay, durationMs: took(job, failedOn) };
    this.#job('job.retry_scheduled', job, failedOn, { ...said, ...times });
  }

  /** The id of the job that waits for this one, as its events have it. */
  #parentOf({ parent }: JobLike): string | undefined {
    // BullMQ allows no colon in a queue's name.
    return parent && this.#naming.jobId({ id: parent.id, queueName: parent.queueKey.split(':').at(-1) ?? '' });
  }

  #job(type: JobEventType, job: JobLike, timestamp: number | undefined, data: EventData = {}): void {
    // BullMQ's types allow for jobs that were not added yet; a worker has none of these.
    const jobId = this.idOf(job.id ?? '');
    const of = { queueName: this.#queueName, attempt: job.attemptsStarted };
    void this.#events.event(type, { ...of, ...data }, { jobId, traceId: this.#naming.traceId(job), timestamp });
  }
}

/** How often a job may be tried: once where its options say nothing. */
function attemptsOf(job: JobLike): number {
  return Math.max(job.opts.attempts ?? 1, 1);
}

/** How long a job waited for a worker, where that is known: since when it has waited again, no job says. */
function waited({ attemptsStarted, processedOn, timestamp, opts }: JobLike): number | undefined {
  const isKnown = attemptsStarted === 1 && processedOn !== undefined;
  return isKnown ? Math.max(processedOn - timestamp - (opts.delay ?? 0), 0) : undefined;
}

/** How long the attempt took that ended then. */
function took({ processedOn }: JobLike, endedOn: number | undefined): number | undefined {
  return processedOn === undefined || endedOn === undefined ? undefined : Math.max(endedOn - processedOn, 0);
}
