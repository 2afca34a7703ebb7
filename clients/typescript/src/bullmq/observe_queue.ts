import { EventClient } from '../client.js';
import type { EventData } from '../types.js';
import type { JobEventType, QueueEventType } from '../vocabulary.js';
import { jobIdOf } from './identity.js';
import { Listening, type Observer } from './listening.js';
import type { JobIdentity, QueueEventsLike } from './shapes.js';

/** What may differ from the defaults of `observeQueue`. */
export interface QueueObserverOptions {
  /** Whose events they are. Default: one for the service `bullmq`. */
  client?: EventClient;
  /** A job's id in its events, the same as in `observeWorker`. Default: `queue:id`. */
  jobId?: (job: JobIdentity) => string;
}

/** Jobs that have ended are no more ended by being removed. */
const ENDED = new Set(['completed', 'failed']);

let bullmqTelemetry: EventClient | undefined;

/**
 * Tells what happens to the jobs of a queue while no worker has them: `job.created`, `job.queued`, `job.delayed`,
 * `job.waiting_children`, `job.released`, `job.stalled`, `job.removed`, `queue.paused`, `queue.resumed`, each with the
 * moment at which Redis noted it. Any number of processes may observe one queue, and each event is written once.
 */
export function observeQueue(queueEvents: QueueEventsLike, options: QueueObserverOptions = {}): Observer {
  const client = options.client ?? (bullmqTelemetry ??= new EventClient('bullmq'));
  const listening = new Listening(queueEvents, client);
  listenTo(listening, new QueueTeller(queueEvents, client, options.jobId ?? jobIdOf));
  return {
    stop: async () => {
      listening.end();
      await client.flush();
    },
  };
}

/** Tells the events of one queue. */
class QueueTeller {
  readonly #queue: QueueEventsLike;
  readonly #client: EventClient;
  readonly #jobId: (job: JobIdentity) => string;

  constructor(queue: QueueEventsLike, client: EventClient, jobId: (job: JobIdentity) => string) {
    this.#queue = queue;
    this.#client = client;
    this.#jobId = jobId;
  }

  /** Tells of a job what entry `entryId` of BullMQ's own stream says. */
  job(type: JobEventType, id: string, entryId: string, data: EventData = {}): void {
    this.#tell(type, entryId, data, this.#jobId({ id, queueName: this.#queue.name }));
  }

  /** Tells of the queue itself. */
  queue(type: QueueEventType, entryId: string): void {
    this.#tell(type, entryId, {}, undefined);
  }

  #tell(type: string, entryId: string, data: EventData, jobId: string | undefined): void {
    void this.#client.event(
      type,
      { queueName: this.#queue.name, ...data },
      { jobId, timestamp: Number.parseInt(entryId, 10), once: `${this.#queue.qualifiedName}:${entryId}` },
    );
  }
}

/**
 * Tells of jobs that a worker has no more and that wait again. BullMQ says that in one breath with `stalled` of a job
 * whose worker was given up; without that of one that its worker gave back, as where it is to keep to a rate.
 */
class PutBack {
  readonly #tell: QueueTeller;
  readonly #waiting = new Map<string, string>();

  constructor(tell: QueueTeller) {
    this.#tell = tell;
  }

  waiting(jobId: string, entry: string): void {
    this.#waiting.set(jobId, entry);
    // Both are written by one script, so that one read of the stream has both and they are told without a pause.
    queueMicrotask(() => this.#end(jobId, entry, 'job.released'));
  }

  stalled(jobId: string, entry: string): void {
    const waiting = this.#waiting.get(jobId);
    if (waiting !== undefined) {
      this.#end(jobId, waiting, 'job.queued');
    }
    this.#tell.job('job.stalled', jobId, entry);
  }

  #end(jobId: string, entry: string, type: JobEventType): void {
    if (this.#waiting.get(jobId) === entry) {
      this.#waiting.delete(jobId);
      this.#tell.job(type, jobId, entry, { prev: 'active' });
    }
  }
}

interface OfJob {
  jobId: string;
  /** The state that it was in. */
  prev?: string;
}

function listenTo(listening: Listening, tell: QueueTeller): void {
  listening.on('added', ({ jobId, name }: OfJob & { name: string }, entry: string) => {
    tell.job('job.created', jobId, entry, { jobType: name });
  });
  const putBack = new PutBack(tell);
  listening.on('waiting', ({ jobId, prev }: OfJob, entry: string) => {
    if (prev === 'active') {
      putBack.waiting(jobId, entry);
    } else {
      tell.job('job.queued', jobId, entry, { prev });
    }
  });
  listening.on('waiting-children', ({ jobId, prev }: OfJob, entry: string) => {
    tell.job('job.waiting_children', jobId, entry, { prev });
  });
  listening.on('delayed', ({ jobId, delay }: OfJob & { delay: number }, entry: string) => {
    // The end of the delay, not how long it is.
    tell.job('job.delayed', jobId, entry, { until: delay });
  });
  listening.on('stalled', ({ jobId }: OfJob, entry: string) => putBack.stalled(jobId, entry));
  listening.on('removed', ({ jobId, prev = '' }: OfJob, entry: string) => {
    if (!ENDED.has(prev)) {
      tell.job('job.removed', jobId, entry, { prev });
    }
  });
  listening.on('paused', (_: object, entry: string) => tell.queue('queue.paused', entry));
  listening.on('resumed', (_: object, entry: string) => tell.queue('queue.resumed', entry));
}
