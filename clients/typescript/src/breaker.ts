const FAILURES_MAX = 3;
const RETRY_MS = 50;
const PROBE_FIRST_MS = 1_000;
const PROBE_MAX_MS = 30_000;

/**
 * The circuit breaker: after three failures in a row the circuit is open, and Redis is only
 * tried now and then, ever less often, until an attempt works.
 */
export class Breaker {
  #failures = 0;
  #retryAt = 0;

  /** Is Redis taken to be out of reach? */
  get open(): boolean {
    return this.#failures >= FAILURES_MAX;
  }

  /** How long to wait before the next attempt; 0: none. */
  waitMs(nowMs: number): number {
    return this.#failures === 0 ? 0 : Math.max(0, this.#retryAt - nowMs);
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(nowMs: number): void {
    this.#failures += 1;
    this.#retryAt = nowMs + jittered(this.#delayMs());
  }

  /** The next attempt may be made at once: somebody waits for it. */
  hurry(): void {
    this.#retryAt = 0;
  }

  #delayMs(): number {
    if (!this.open) {
      return RETRY_MS * this.#failures;
    }
    return Math.min(PROBE_MAX_MS, PROBE_FIRST_MS * 2 ** (this.#failures - FAILURES_MAX));
  }
}

/** From 80 % to 120 % of it, so that services that failed together do not return together. */
function jittered(delayMs: number): number {
  return delayMs * (0.8 + Math.random() * 0.4);
}
