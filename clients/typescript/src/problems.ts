const EVERY_MS = 60_000;

/** Tells the application of trouble, seldom enough not to be trouble itself. */
export class Problems {
  readonly #tell: ((message: string) => void) | undefined;
  #toldAt = -Infinity;

  constructor(tell: ((message: string) => void) | undefined) {
    this.#tell = tell;
  }

  report(message: string, nowMs: number): void {
    if (!this.#tell || nowMs - this.#toldAt < EVERY_MS) {
      return;
    }
    this.#toldAt = nowMs;
    try {
      this.#tell(message);
    } catch {
      // The application's own function failed; an event must not.
    }
  }
}
