import { clearTimer, setTimer } from '../clock.js';

/** Beats until it is stopped, and keeps no process alive. */
export class Heart {
  readonly #everyMs: number;
  readonly #beat: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** One that never beats where `everyMs` is 0. */
  constructor(everyMs: number, beat: () => void) {
    this.#everyMs = everyMs;
    this.#beat = beat;
    if (everyMs > 0) {
      this.#wait();
    }
  }

  stop(): void {
    clearTimer(this.#timer);
  }

  #wait(): void {
    const timer = setTimer(() => {
      this.#wait();
      this.#beat();
    }, this.#everyMs);
    this.#timer = timer.unref();
  }
}
