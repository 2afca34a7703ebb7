/** Permits `perSecond` events in the long run, and `burst` at once. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #refilledAt: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = Math.max(1, burst);
    this.#tokens = this.#burst;
    this.#refilledAt = nowMs;
  }

  /** Takes a token; false where there is none. A clock set back refills nothing. */
  take(nowMs: number): boolean {
    if (nowMs !== this.#refilledAt) {
      const elapsedMs = Math.max(0, nowMs - this.#refilledAt);
      this.#tokens = Math.min(this.#burst, this.#tokens + elapsedMs * this.#perMs);
      this.#refilledAt = nowMs;
    }
    if (this.#tokens < 1) {
      return false;
    }
    this.#tokens -= 1;
    return true;
  }
}
