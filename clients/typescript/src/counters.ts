import type { DropReason, Stats } from './types.js';

/** What has been lost since the last report. */
export interface DropReport {
  dropped: number;
  reasons: Partial<Record<DropReason, number>>;
  /** How long ago the first of them was lost. */
  sinceMs: number;
}

/** Counts where every event went. */
export class Counters {
  emitted = 0;
  sent = 0;
  sampled = 0;
  spooled = 0;
  #dropped = 0;
  #reasons: Partial<Record<DropReason, number>> = {};
  #unreported: Partial<Record<DropReason, number>> = {};
  #unreportedCount = 0;
  #firstDropAt = 0;

  get dropped(): number {
    return this.#dropped;
  }

  /** Are there losses that no report has told of? */
  get hasUnreported(): boolean {
    return this.#unreportedCount > 0;
  }

  drop(reason: DropReason, count: number, nowMs: number): void {
    if (count === 0) {
      return;
    }
    if (this.#unreportedCount === 0) {
      this.#firstDropAt = nowMs;
    }
    this.#dropped += count;
    this.#unreportedCount += count;
    this.#reasons[reason] = (this.#reasons[reason] ?? 0) + count;
    this.#unreported[reason] = (this.#unreported[reason] ?? 0) + count;
  }

  /** The losses since the last report, which are reported by this. */
  takeReport(nowMs: number): DropReport {
    const report = {
      dropped: this.#unreportedCount,
      reasons: this.#unreported,
      sinceMs: Math.max(0, nowMs - this.#firstDropAt),
    };
    this.#unreported = {};
    this.#unreportedCount = 0;
    return report;
  }

  stats(queued: number): Stats {
    const { emitted, sent, sampled, spooled, dropped } = this;
    return { emitted, sent, sampled, dropped, spooled, queued, reasons: { ...this.#reasons } };
  }
}
