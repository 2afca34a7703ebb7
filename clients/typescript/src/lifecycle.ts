const FLUSH_MS = 2_000;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

type Signal = (typeof SIGNALS)[number];

/** What has to happen before the process ends. */
export interface Endable {
  flush(timeoutMs: number): Promise<boolean>;
  close(timeoutMs: number): Promise<boolean>;
  spoolNow(): void;
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

  readonly #clients = new Map<Endable, 'auto' | boolean>();
  readonly #listening = new Set<Signal>();
  /** Signals that the application handles itself. */
  readonly #handledByOthers = new Set<Signal>();
  /** Signals that we have taken and sent on: the next one must end the process. */
  readonly #passedOn = new Set<Signal>();
  #installed = false;

  /** Takes care of a client from now on. */
  add(client: Endable, handleSignals: 'auto' | boolean): void {
    this.#clients.set(client, handleSignals);
    this.#install();
    for (const signal of SIGNALS) {
      this.#update(signal);
    }
  }

  /** The client has been closed. */
  remove(client: Endable): void {
    this.#clients.delete(client);
    for (const signal of SIGNALS) {
      this.#update(signal);
    }
  }

  #install(): void {
    if (this.#installed) {
      return;
    }
    this.#installed = true;
    process.on('beforeExit', () => void this.#beforeExit());
    process.on('exit', () => this.#clients.forEach((_, client) => client.spoolNow()));
    process.on('newListener', (name: string | symbol) => this.#listenerComes(name));
    process.on('removeListener', (name: string | symbol) => this.#listenerGone(name));
  }

  /** Nothing else keeps the process alive. Closing ends in any case, so this comes but once. */
  async #beforeExit(): Promise<void> {
    const clients = [...this.#clients.keys()];
    this.#clients.clear();
    await Promise.all(clients.map((client) => client.close(FLUSH_MS)));
  }

  /** The application begins to handle a signal: its listener is added right after this call. */
  #listenerComes(name: string | symbol): void {
    const signal = SIGNALS.find((known) => known === name);
    if (signal) {
      queueMicrotask(() => this.#update(signal));
    }
  }

  /**
   * The application handles a signal no more. Ours goes at once: a handler set with `once` may
   * send the signal again, to end the process.
   */
  #listenerGone(name: string | symbol): void {
    const signal = SIGNALS.find((known) => known === name);
    if (signal) {
      this.#listen(signal);
      queueMicrotask(() => this.#update(signal));
    }
  }

  #update(signal: Signal): void {
    this.#listen(signal);
    if (this.#others(signal) > 0) {
      this.#handledByOthers.add(signal);
    } else {
      this.#handledByOthers.delete(signal);
    }
  }

  /**
   * Listens to a signal only beside the application's own handlers, unless a client was told to
   * handle it: a listener of ours alone would keep the signal from ending the process.
   */
  #listen(signal: Signal): void {
    const modes = [...this.#clients.values()];
    const asked = modes.includes(true) || (modes.includes('auto') && this.#others(signal) > 0);
    const wanted = asked && !this.#passedOn.has(signal);
    if (wanted && !this.#listening.has(signal)) {
      this.#listening.add(signal);
      process.on(signal, this.#onSignal);
    } else if (!wanted && this.#listening.delete(signal)) {
      process.removeListener(signal, this.#onSignal);
    }
  }

  /** How many handlers the application has for a signal. */
  #others(signal: Signal): number {
    return process.listenerCount(signal) - (this.#listening.has(signal) ? 1 : 0);
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    const known = signal as Signal;
    const clients = [...this.#clients].filter(([, mode]) => mode !== false);
    const flushed = Promise.all(clients.map(([client]) => client.flush(FLUSH_MS)));
    // Remembered from before the signal: a handler set with `once` is gone by now.
    if (this.#handledByOthers.has(known) || !clients.some(([, mode]) => mode === true)) {
      return;
    }
    // The application handles nothing, so the signal does what it would have done without us.
    this.#passedOn.add(known);
    this.#listen(known);
    void flushed.then(() => process.kill(process.pid, known));
  };
}
