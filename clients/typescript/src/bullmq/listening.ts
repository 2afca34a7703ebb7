import type { EventClient } from '../client.js';
import { failure } from '../failure.js';
import type { Emitter } from './shapes.js';

/** An observer at work. */
export interface Observer {
  /** Stops observing. Resolves once what was told so far was sent, or could not be within two seconds. */
  stop(): Promise<void>;
}

/** Listeners of ours at one of BullMQ's objects, none of which can disturb it. */
export class Listening {
  readonly #emitter: Emitter;
  readonly #client: EventClient;
  readonly #listeners: [event: string | symbol, listener: (...told: never[]) => void][] = [];

  constructor(emitter: Emitter, client: EventClient) {
    this.#emitter = emitter;
    this.#client = client;
  }

  /** Calls `hear` with whatever is told under that name. What it throws ends here, and is told as an event. */
  on<Told extends unknown[]>(event: string | symbol, hear: (...told: Told) => void): void {
    const listener = (...told: never[]): void => {
      try {
        hear(...(told as unknown as Told));
      } catch (error) {
        // Of the functions that the application gave: nothing else in there throws.
        void this.#client.event('telemetry.observer_failed', failure(error));
      }
    };
    this.#listeners.push([event, listener]);
    this.#emitter.on(event, listener);
  }

  /** Takes all listeners away. */
  end(): void {
    for (const [event, listener] of this.#listeners.splice(0)) {
      this.#emitter.off(event, listener);
    }
  }
}
