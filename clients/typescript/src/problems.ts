import { uptimeMs } from './clock.js';

const EVERY_MS = 60_000;

/** Tells the application of trouble, seldom enough not to be trouble itself. */
export class Problems {
  readonly #tell: ((message: string) => void) | undefined;
  #toldAt = -Infinity;

  constructor(tell: ((message: string) => void) | undefined) {
    this.#tell = tell;
  }

  report(message: string): void {
    if (uptimeMs() - this.#toldAt >= EVERY_MS) {
      this.#toldAt = uptimeMs();
      this.reportNow(message);
    }
  }

  /** What is said once, at the beginning or the end, is said in any case. */
  reportNow(message: string): void {
    try {
      this.#tell?.(message);
    } catch {
      // The application's own function failed; an event must not.
    }
  }
}
