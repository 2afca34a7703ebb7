import { BoundClient } from './bound_client.js';
import { Pipeline } from './pipeline.js';
import { type EventClientOptions, resolveSettings } from './settings.js';
import type { Stats } from './types.js';

const FLUSH_MS = 2_000;

const NOTHING: Stats = { emitted: 0, sent: 0, sampled: 0, dropped: 0, spooled: 0, queued: 0, reasons: {} };

/**
 * Emits the events of a service, fire and forget. No call throws, rejects, blocks or waits,
 * whatever state Redis is in. Nothing happens before the first event.
 */
export class EventClient extends BoundClient {
  readonly #current: { pipeline: Pipeline | undefined };

  /**
   * @param service what this process is: `api-server`, `worker`, …
   * @param options what differs from the defaults
   */
  constructor(service: string, options: EventClientOptions = {}) {
    // The environment is read with the first event: applications load it after their imports.
    const current: { pipeline: Pipeline | undefined; started: boolean } = { pipeline: undefined, started: false };
    super(() => {
      if (!current.started) {
        current.started = true;
        const settings = resolveSettings(options, process.env);
        current.pipeline = settings.enabled ? new Pipeline(String(service), settings) : undefined;
      }
      return current.pipeline;
    }, {});
    this.#current = current;
  }

  /** Where all events went so far. */
  stats(): Stats {
    return this.#current.pipeline?.stats ?? { ...NOTHING, reasons: {} };
  }

  /** Resolves with whether everything emitted so far was sent within the time. Never rejects. */
  flush(timeoutMs: number = FLUSH_MS): Promise<boolean> {
    return this.#current.pipeline?.flush(timeoutMs) ?? Promise.resolve(true);
  }

  /** Sends what is queued, within the time, and disconnects. Later events count as dropped. */
  close(timeoutMs: number = FLUSH_MS): Promise<boolean> {
    return this.#current.pipeline?.close(timeoutMs) ?? Promise.resolve(true);
  }
}
