import { type RecordedEvent, type Take, recordings } from '../recording.js';

const WAIT_MS = 2_000;

// Taken when this is loaded: a test's fake timers must not stop it from giving up.
const { clearTimeout: clearTimer, setTimeout: setTimer } = globalThis;

/**
 * Records the events of all clients in this process, the ready-made ones and those that are switched off, too, instead
 * of sending them, until `stop`. What is recorded is what would have been stored: with ids, levels and cut data.
 */
export function recordEvents(): RecordedEvents {
  return new RecordedEvents();
}

/** The events of a test, in their order. */
export class RecordedEvents {
  readonly #events: RecordedEvent[] = [];
  readonly #once = new Set<string>();
  readonly #waiting = new Set<() => void>();
  readonly #take: Take = (event, once) => this.#record(event, once);

  /** Made by `recordEvents`. */
  constructor() {
    recordings.add(this.#take);
  }

  /** All of them. */
  get all(): readonly RecordedEvent[] {
    return this.#events;
  }

  /** Their types, for a test that only looks at what happened in which order. */
  get types(): string[] {
    return this.#events.map(({ type }) => type);
  }

  /** Those of a type. */
  ofType(type: string): RecordedEvent[] {
    return this.#events.filter((event) => event.type === type);
  }

  /** Those about a job. */
  ofJob(jobId: string): RecordedEvent[] {
    return this.#events.filter((event) => event.jobId === jobId);
  }

  /** The first event of a type, as soon as it is there. Rejects after so long, with what was there instead. */
  async waitFor(type: string, timeoutMs: number = WAIT_MS): Promise<RecordedEvent> {
    let isLate = false;
    let look = (): void => {};
    const timer = setTimer(() => {
      isLate = true;
      look();
    }, timeoutMs);
    try {
      for (;;) {
        const [event] = this.ofType(type);
        if (event) {
          return event;
        }
        if (isLate) {
          throw new Error(`no ${type} within ${timeoutMs} ms, but: ${this.types.join(', ') || 'no event at all'}`);
        }
        await new Promise<void>((resolve) => {
          look = resolve;
          this.#waiting.add(resolve);
        });
        this.#waiting.delete(look);
      }
    } finally {
      clearTimer(timer);
    }
  }

  /** Forgets what it has recorded. */
  clear(): void {
    this.#events.length = 0;
    this.#once.clear();
  }

  /** Ends: events go where they went before. What was recorded is kept. */
  stop(): void {
    recordings.delete(this.#take);
  }

  #record(event: RecordedEvent, once: string | undefined): void {
    if (once !== undefined) {
      if (this.#once.has(once)) {
        return;
      }
      this.#once.add(once);
    }
    this.#events.push(event);
    this.#waiting.forEach((look) => look());
  }
}
