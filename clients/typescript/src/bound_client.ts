import { failure } from './failure.js';
import type { GivenIds, Pipeline } from './pipeline.js';
import { startTimer } from './timer.js';
import type { EventContext, EventData, Ids } from './types.js';

/** One for all calls: an event is never waited for. */
const DONE: Promise<void> = Promise.resolve();

/** Gives the pipeline of a client, or `undefined` where telemetry is switched off. */
export type PipelineSource = () => Pipeline | undefined;

/**
 * Emits events with some ids already set. The promises that its methods return are resolved
 * when they return: they may be awaited or not, and never reject.
 */
export class BoundClient {
  readonly #pipeline: PipelineSource;
  readonly #bound: Ids;

  /** Made by `child` and `withJob`. */
  constructor(pipeline: PipelineSource, bound: Ids) {
    this.#pipeline = pipeline;
    this.#bound = bound;
  }

  /** Emits an event: `event('server.ready', { port })`. */
  event(type: string, data?: EventData | Error, context?: EventContext): Promise<void> {
    return this.#emit(type, data, context, undefined);
  }

  /** Emits an event about a job. */
  jobEvent(jobId: string, type: string, data?: EventData | Error, context?: EventContext): Promise<void> {
    return this.#emit(type, data, context, { jobId });
  }

  /** Emits an event about a worker. */
  workerEvent(workerId: string, type: string, data?: EventData | Error, context?: EventContext): Promise<void> {
    return this.#emit(type, data, context, { workerId });
  }

  /** Emits an event about a machine. */
  machineEvent(machineId: string, type: string, data?: EventData | Error, context?: EventContext): Promise<void> {
    return this.#emit(type, data, context, { machineId });
  }

  /** A client whose events carry these ids, and the ones that this client's carry. */
  child(ids: Ids): BoundClient {
    return new BoundClient(this.#pipeline, { ...this.#bound, ...ids });
  }

  /** A client whose events are about a job. */
  withJob(jobId: string): BoundClient {
    return this.child({ jobId });
  }

  /**
   * Runs a function and tells of it: `track('job.processing', data, run)` emits
   * `job.processing_started`, and then `job.processing_completed` or `job.processing_failed` with
   * `durationMs`. What the function returns or throws is passed on as it is.
   */
  track<T>(name: string, data: EventData, run: () => T, context?: EventContext): T {
    const prefix = String(name).includes('.') ? `${name}_` : `${name}.`;
    const timer = startTimer();
    const completed = (): void => {
      void this.event(`${prefix}completed`, { ...data, durationMs: timer() }, context);
    };
    const failed = (error: unknown): void => {
      void this.event(`${prefix}failed`, { ...data, ...failure(error), durationMs: timer() }, context);
    };
    void this.event(`${prefix}started`, data, context);
    return observe(run, completed, failed);
  }

  #emit(type: string, data: unknown, context: EventContext | undefined, given: GivenIds | undefined): Promise<void> {
    this.#pipeline()?.emit(type, data, context, this.#bound, given);
    return DONE;
  }
}

/** Calls a function and one of the observers after it, when its promise settles if it gives one. */
function observe<T>(run: () => T, completed: () => void, failed: (error: unknown) => void): T {
  let result: T;
  try {
    result = run();
  } catch (error) {
    failed(error);
    throw error;
  }
  if (!isThenable(result)) {
    completed();
    return result;
  }
  return result.then(
    (value) => {
      completed();
      return value;
    },
    (error: unknown) => {
      failed(error);
      throw error;
    },
  ) as T;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
