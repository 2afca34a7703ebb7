/** How grave an event is, in rising order. */
export type Level = 'debug' | 'info' | 'warn' | 'error';

/** What an event says beyond its name. Anything is taken; what JSON cannot hold is described. */
export type EventData = object;

/** What ties an event to a job, a worker, a machine, a user or a trace. */
export interface Ids {
  traceId?: string | undefined;
  jobId?: string | undefined;
  workerId?: string | undefined;
  machineId?: string | undefined;
  userId?: string | undefined;
}

/** The third parameter of `event`: ids, and what is seldom set. */
export interface EventContext extends Ids {
  /** Default: `error` where the type's name says that something failed, else `info`. */
  level?: Level | undefined;
  /** The producer's clock in ms since the epoch. Default: now. */
  timestamp?: number | undefined;
  /**
   * Of all events with the same text here, whichever processes emit them within ten minutes, the first one is written
   * and the others count as sent. Redis keeps a key for each that long, and needs to permit `+eval` and `+set`.
   */
  once?: string | undefined;
}

/** Why an event was dropped. */
export type DropReason =
  /** More was emitted than could be sent. */
  | 'queue_full'
  /** The queue was full and Redis out of reach. */
  | 'circuit_open'
  /** Redis answered with an error that waiting does not cure: no permission, wrong type. */
  | 'refused'
  /** More events of one type than its token bucket allows. */
  | 'rate_limited'
  /** Its data could not be cut to the permitted size. */
  | 'too_large'
  /** The client had been closed. */
  | 'closed'
  /** It was sent, and the connection was lost before Redis answered. It may have been stored. */
  | 'unanswered'
  /** The spool holds as many files as it may. */
  | 'spool_full'
  /** The spool could not be written. */
  | 'spool_failed';

/**
 * Where all events went: `emitted = sent + sampled + dropped + spooled + queued` at every moment.
 */
export interface Stats {
  emitted: number;
  /** Redis has confirmed them. */
  sent: number;
  /** Left out by sampling, or below the level. */
  sampled: number;
  dropped: number;
  /** Written to the spool. */
  spooled: number;
  /** Waiting, or under way. */
  queued: number;
  /** `dropped`, by reason. */
  reasons: Partial<Record<DropReason, number>>;
}

/** An event on its way: everything but the service, in its final form. */
export interface PendingEvent {
  timestamp: number;
  type: string;
  traceId: string | undefined;
  jobId: string | undefined;
  workerId: string | undefined;
  machineId: string | undefined;
  userId: string | undefined;
  level: Level;
  /** What it has in common with the same event of other processes. */
  once: string | undefined;
  /** A JSON object as text. */
  data: string;
  /** What it takes of the queue's memory. */
  bytes: number;
}
