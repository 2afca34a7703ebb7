import type { PendingEvent } from './types.js';

/** Where a pipeline's events go. */
export interface Sink {
  /** Events that wait or are under way. */
  readonly queued: number;
  /** Is it taken to be out of reach? */
  readonly circuitOpen: boolean;
  add(event: PendingEvent): void;
  /** Resolves with whether everything was sent within the time; an impatient one gives up where it turns out to be away. */
  flush(timeoutMs: number, isPatient?: boolean): Promise<boolean>;
  close(): Promise<void>;
  /** As `close`, without another turn of the event loop. */
  end(): void;
}
