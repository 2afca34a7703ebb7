import { BoundClient } from './bound_client.js';
import type { EventClientOptions } from './settings.js';
import { Pipelines } from './pipelines.js';
import type { Stats } from './types.js';

const FLUSH_MS = 2_000;

const NOTHING: Stats = { emitted: 0, sent: 0, sampled: 0, dropped: 0, spooled: 0, queued: 0, reasons: {} };

/**
 * Emits the events of a service, fire and forget. No call throws, rejects, blocks or waits,
 * whatever state Redis is in. Nothing happens before the first event.
 */
export class EventClient extends BoundClient {
  readonly #pipelines: Pipelines;

  /**
   * @param service what this process is: `api-server`, `worker`, …
   * @param options what differs from the defaults
   */
  constructor(service: string, options: EventClientOptions = {}) {
    const pipelines = new Pipelines(String(service), options);
    super(() => pipelines.taking(), {});
    this.#pipelines = pipelines;
  }

  /** Where all events went so far. */
  stats(): Stats {
    return this.#pipelines.made?.stats ?? { ...NOTHING, reasons: {} };
  }

  /** Resolves with whether everything emitted so far was sent within the time. Never rejects. */
  flush(timeoutMs: number = FLUSH_MS): Promise<boolean> {
    return this.#pipelines.made?.flush(timeoutMs) ?? Promise.resolve(true);
  }

  /** Sends what is queued, within the time, and disconnects. Later events count as dropped. */
  close(timeoutMs: number = FLUSH_MS): Promise<boolean> {
    return this.#pipelines.made?.close(timeoutMs) ?? Promise.resolve(true);
  }
}
