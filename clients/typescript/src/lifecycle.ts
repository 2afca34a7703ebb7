import { signalExitListeners } from './signal_exit.js';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

type Signal = (typeof SIGNALS)[number];

/** What has to happen before the process ends. */
export interface Endable {
  /** Whether signals are a matter of its own. */
  readonly handlesSignals: boolean;
  hurry(): Promise<void>;
  finish(): Promise<void>;
  end(): void;
}

/** Shared by the two builds of this package: each would take the other's listeners for the application's. */
const SHARED_KEY = Symbol.for('emp.events.lifecycle');

const global = globalThis as { [SHARED_KEY]?: Lifecycle };

/**
 * Sends what is queued before the process ends, for all clients in it. The application's own
 * handling of signals stays as it is.
 */
export class Lifecycle {
  /** The one of this process. */
  static get shared(): Lifecycle {
    return (global[SHARED_KEY] ??= new Lifecycle());
  }

  readonly #clients = new Set<Endable>();
  readonly #listening = new Set<Signal>();
  /** Signals that the application handles itself. */
  readonly #handledByOthers = new Set<Signal>();
  /** Signals that we have taken and sent on: the next one must end the process. */
  readonly #passedOn = new Set<Signal>();
  #installed = false;

  /** Takes care of a client from now on. */
  add(client: Endable): void {
    this.#clients.add(client);
    this.#install();
    this.#updateAll();
  }

  /** The client has been closed. */
  remove(client: Endable): void {
    this.#clients.delete(client);
    this.#updateAll();
  }

  #install(): void {
    if (this.#installed) {
      return;
    }
    this.#installed = true;
    process.on('beforeExit', () => void this.#beforeExit());
    process.on('exit', () => this.#clients.forEach((client) => client.end()));
    process.on('newListener', (name: string | symbol) => this.#listenersChange(name));
    process.on('removeListener', (name: string | symbol) => this.#listenersChange(name));
  }

  /** Nothing else keeps the process alive. Closing ends in any case, so this comes but once. */
  async #beforeExit(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => client.finish()));
  }

  /** A listener is added right after this call, or was removed right before it. */
  #listenersChange(name: string | symbol): void {
    const signal = SIGNALS.find((known) => known === name);
    if (signal) {
      queueMicrotask(() => this.#update(signal));
    }
  }

  #updateAll(): void {
    for (const signal of SIGNALS) {
      this.#update(signal);
    }
  }

  #update(signal: Signal): void {
    const wanted = [...this.#clients].some((client) => client.handlesSignals) && !this.#passedOn.has(signal);
    if (wanted && !this.#listening.has(signal)) {
      this.#listening.add(signal);
      process.on(signal, this.#onSignal);
    } else if (!wanted && this.#listening.delete(signal)) {
      process.removeListener(signal, this.#onSignal);
    }
    if (this.#others(signal) > 0) {
      this.#handledByOthers.add(signal);
    } else {
      this.#handledByOthers.delete(signal);
    }
  }

  /** How many handlers the application has for a signal. */
  #others(signal: Signal): number {
    return process.listenerCount(signal) - (this.#listening.has(signal) ? 1 : 0) - signalExitListeners();
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    const known = signal as Signal;
    const clients = [...this.#clients].filter((client) => client.handlesSignals);
    const away = Promise.all(clients.map((client) => client.hurry()));
    // Remembered from before the signal: a handler set with `once` is gone by now.
    if (this.#handledByOthers.has(known)) {
      return;
    }
    // The application handles nothing, so the signal does what it would have done without us.
    this.#passedOn.add(known);
    this.#update(known);
    void away.then(() => {
      this.#clients.forEach((client) => client.end());
      process.kill(process.pid, known);
    });
  };
}
