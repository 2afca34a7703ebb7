import { clearTimer, setTimer } from './clock.js';

interface Flush {
  /** How many events had entered the queue when it was asked for. */
  target: number;
  lostBefore: number;
  /** Is a Redis that is away waited for? */
  isPatient: boolean;
  finish: (sent: boolean) => void;
}

/** Those who wait until what is queued has been sent. */
export class Flushes {
  #entered = 0;
  #left = 0;
  #lost = 0;
  readonly #waiting = new Set<Flush>();

  get anyWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** An event has entered the queue. */
  entered(): void {
    this.#entered += 1;
  }

  /** Events have left the queue; `lost` of them not to Redis. */
  left(count: number, lost: number): void {
    this.#left += count;
    this.#lost += lost;
    for (const flush of this.#waiting) {
      if (this.#left >= flush.target) {
        flush.finish(this.#lost === flush.lostBefore);
      }
    }
  }

  /** Redis is away: whoever does not wait for it need not wait any more. */
  away(): void {
    for (const flush of this.#waiting) {
      if (!flush.isPatient) {
        flush.finish(false);
      }
    }
  }

  /** Resolves with whether all that is queued now was sent within the time. */
  wait(timeoutMs: number, isPatient: boolean): Promise<boolean> {
    if (this.#left >= this.#entered) {
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      // The one timer that keeps the process alive: somebody waits for the events.
      const timer = setTimer(() => flush.finish(false), timeoutMs);
      const flush: Flush = {
        target: this.#entered,
        lostBefore: this.#lost,
        isPatient,
        finish: (sent) => {
          clearTimer(timer);
          this.#waiting.delete(flush);
          resolve(sent);
        },
      };
      this.#waiting.add(flush);
    });
  }
}
