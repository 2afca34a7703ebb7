import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { clearTimer, setTimer, uptimeMs } from './clock.js';
import type { Counters } from './counters.js';
import type { DropReason, Stats } from './types.js';

/** One call of so many is measured: the clock takes as long as the rest of a small call. */
const ONE_OF = 8;
/** Times of calls that are kept until they are told, at most. */
const TIMES_MAX = 4_096;
/** How finely the delay of the event loop is looked at, in ms. */
const DELAY_RESOLUTION_MS = 50;

/** Tells what became of events since it told last: once a minute, where something was emitted. */
export class StatsReport {
  readonly #counters: Counters;
  readonly #everyMs: number;
  readonly #times: number[] = [];
  #calls = 0;
  #told: Stats;
  #toldAtMs = uptimeMs();
  #timer: NodeJS.Timeout | undefined;
  #delay: IntervalHistogram | undefined;

  /** `tell` is called with the data of each `telemetry.stats`; `queued` says how many events wait. */
  constructor(counters: Counters, everyMs: number, queued: () => number, tell: (data: object) => void) {
    this.#counters = counters;
    this.#everyMs = everyMs;
    this.#told = counters.stats(0);
    this.#delay = watchDelay();
    const tick = (): void => {
      this.#timer = setTimer(tick, this.#everyMs).unref();
      // Who is silent stays silent.
      if (this.#counters.emitted !== this.#told.emitted) {
        tell(this.#take(queued()));
        // The event that tells it is no news of its own.
        this.#told.emitted += 1;
      }
    };
    this.#timer = setTimer(tick, this.#everyMs).unref();
  }

  /** A call begins: when, or `undefined` where it is not measured. */
  begin(): number | undefined {
    this.#calls += 1;
    return this.#calls % ONE_OF === 1 ? uptimeMs() : undefined;
  }

  /** It has ended. */
  end(begunMs: number | undefined): void {
    if (begunMs !== undefined && this.#times.length < TIMES_MAX) {
      this.#times.push(uptimeMs() - begunMs);
    }
  }

  stop(): void {
    clearTimer(this.#timer);
    this.#delay?.disable();
  }

  #take(queued: number): object {
    const stats = this.#counters.stats(queued);
    const told = this.#told;
    const since = (count: (stats: Stats) => number): number => count(stats) - count(told);
    const reasons: Partial<Record<DropReason, number>> = {};
    for (const [reason, count] of Object.entries(stats.reasons) as [DropReason, number][]) {
      const more = count - (told.reasons[reason] ?? 0);
      if (more > 0) {
        reasons[reason] = more;
      }
    }
    const nowMs = uptimeMs();
    const data = {
      emitted: since((of) => of.emitted),
      sent: since((of) => of.sent),
      sampled: since((of) => of.sampled),
      spooled: since((of) => of.spooled),
      dropped: since((of) => of.dropped),
      queued,
      intervalMs: Math.round(nowMs - this.#toldAtMs),
      reasons,
      ...quantiles(this.#times),
      rssBytes: process.memoryUsage.rss(),
      ...(this.#delay && { eventLoopDelayP99Ms: this.#delay.percentile(99) / 1e6 }),
    };
    this.#times.length = 0;
    this.#delay?.reset();
    this.#told = stats;
    this.#toldAtMs = nowMs;
    return data;
  }
}

/** In microseconds; nothing where no call was measured. */
function quantiles(timesMs: number[]): { callP50Us?: number; callP99Us?: number } {
  if (timesMs.length === 0) {
    return {};
  }
  const sorted = [...timesMs].sort((a, b) => a - b);
  const at = (share: number): number => (sorted[Math.ceil(sorted.length * share) - 1] ?? 0) * 1e3;
  return { callP50Us: at(0.5), callP99Us: at(0.99) };
}

/** Other runtimes may not have it. */
function watchDelay(): IntervalHistogram | undefined {
  try {
    const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
    delay.enable();
    return delay;
  } catch {
    return undefined;
  }
}
