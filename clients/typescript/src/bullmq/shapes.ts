// What is used of BullMQ, so that nothing of it is loaded, and any version that has this will do.

/** Something that emits events, as BullMQ's classes do. */
export interface Emitter {
  on(event: string | symbol, listener: (...told: never[]) => void): unknown;
  off(event: string | symbol, listener: (...told: never[]) => void): unknown;
}

/** BullMQ's `Worker`. */
export interface WorkerLike extends Emitter {
  /** The queue that it takes jobs from. */
  name: string;
  opts: { name?: string; concurrency?: number };
}

/** BullMQ's `QueueEvents`. */
export interface QueueEventsLike extends Emitter {
  /** The queue that it tells of. */
  name: string;
  /** The same with the prefix of its keys. */
  qualifiedName: string;
}

/** Which job it is: all that both observers know of one. */
export interface JobIdentity {
  /** BullMQ's own id, which is another job's in the next queue. */
  id: string;
  queueName: string;
}

/** BullMQ's `Job`, as a worker has it. */
export interface JobLike {
  id?: string;
  name: string;
  data: unknown;
  opts: { attempts?: number; delay?: number };
  /** The job of a flow that waits for this one: its id, and its queue's name behind the prefix of its keys. */
  parent?: { id: string; queueKey: string };
  /** When it was added. */
  timestamp: number;
  /** How long it waits for its next attempt, once one has failed. */
  delay: number;
  /** How often it was begun, attempts that stalled included. */
  attemptsStarted: number;
  processedOn?: number;
  /** Set once it has ended. */
  finishedOn?: number;
}
