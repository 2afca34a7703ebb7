import type { Counters } from './counters.js';
import type { Sink } from './sink.js';
import type { Ids, Level, PendingEvent } from './types.js';

/** An event as the collector would have stored it. */
export interface RecordedEvent extends Ids {
  service: string;
  type: string;
  level: Level;
  /** In ms since the epoch. */
  timestamp: number;
  /** After secrets were left out of it and what is too large was cut. */
  data: Record<string, unknown>;
}

/** Takes an event, and what it has in common with the same event of other processes. */
export type Take = (event: RecordedEvent, once: string | undefined) => void;

/** Shared by the two builds of this package, should an application load one and its test the other. */
const RECORDINGS_KEY = Symbol.for('emp.events.recordings');

const shared = globalThis as { [RECORDINGS_KEY]?: Set<Take> };

/** What takes the events of all clients in this process instead of Redis, while there is any. */
export const recordings: Set<Take> = (shared[RECORDINGS_KEY] ??= new Set());

/** Hands events to the recordings. */
export class RecordingSink implements Sink {
  readonly queued = 0;
  readonly circuitOpen = false;
  readonly #service: string;
  readonly #counters: Counters;

  constructor(service: string, counters: Counters) {
    this.#service = service;
    this.#counters = counters;
  }

  add(event: PendingEvent): void {
    this.#counters.sent += 1;
    const recorded = asRecorded(this.#service, event);
    recordings.forEach((take) => take(recorded, event.once));
  }

  flush(): Promise<boolean> {
    return Promise.resolve(true);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  end(): void {
    // Nothing waits.
  }
}

/** Only with the ids that it has, so that a test compares what it means. */
function asRecorded(service: string, event: PendingEvent): RecordedEvent {
  const { timestamp, type, level, traceId, jobId, workerId, machineId, userId } = event;
  const ids = Object.entries({ traceId, jobId, workerId, machineId, userId }).filter(([, id]) => id !== undefined);
  return { service, type, level, timestamp, ...Object.fromEntries(ids), data: JSON.parse(event.data) };
}
