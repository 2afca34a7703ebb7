import { now } from './clock.js';
import type { Counters } from './counters.js';
import type { Flushes } from './flushes.js';
import type { DropReason } from './types.js';

/** Counts how queued events ended, and tells those who wait for them. */
export class Ledger {
  readonly #counters: Counters;
  readonly #flushes: Flushes;

  constructor(counters: Counters, flushes: Flushes) {
    this.#counters = counters;
    this.#flushes = flushes;
  }

  settled(fate: 'sent' | 'spooled' | DropReason, count: number): void {
    if (count === 0) {
      return;
    }
    if (fate === 'sent' || fate === 'spooled') {
      this.#counters[fate] += count;
    } else {
      this.#counters.drop(fate, count, now());
    }
    this.#flushes.left(count, fate === 'sent' ? 0 : count);
  }
}
