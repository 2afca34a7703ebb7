import { clearTimer, setTimer } from './clock.js';

/** An event waits this long for others: each batch costs this process and Redis a wake-up or two, however small it is. */
const BATCH_DELAY_MS = 50;

/** Wakes the sender: a moment after an event, for as many as come until then, or when Redis is to be tried again. */
export class Wake {
  readonly #run: () => void;
  #batchTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #set = false;

  constructor(run: () => void) {
    this.#run = run;
  }

  /** Is it going to wake the sender? */
  get isSet(): boolean {
    return this.#set;
  }

  /** Sets it, with no less than this wait. */
  set(waitMs: number): void {
    this.#set = true;
    if (waitMs > BATCH_DELAY_MS) {
      this.#retryTimer = setTimer(this.#run, waitMs).unref();
    } else if (this.#batchTimer) {
      // Making a new timer would cost the caller more than all the rest of the call.
      this.#batchTimer.refresh();
    } else {
      this.#batchTimer = setTimer(this.#run, BATCH_DELAY_MS).unref();
    }
  }

  /** The sender is awake. A batch timer that goes off all the same finds nothing to do. */
  done(): void {
    clearTimer(this.#retryTimer);
    this.#set = false;
  }

  /** It wakes nobody any more. */
  end(): void {
    clearTimer(this.#batchTimer);
    clearTimer(this.#retryTimer);
  }
}
