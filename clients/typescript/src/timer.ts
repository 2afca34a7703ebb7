import { uptimeMs } from './clock.js';

/** Tells how long ago it was started. */
export interface Timer {
  /** The milliseconds since the start. */
  (): number;
  /** The same: `event('x.done', { durationMs: timer.durationMs })`. */
  readonly durationMs: number;
}

/** Starts a timer that no change of the clock disturbs. */
export function startTimer(): Timer {
  const startedAt = uptimeMs();
  const elapsed = (): number => Math.round((uptimeMs() - startedAt) * 1000) / 1000;
  return Object.defineProperty(elapsed, 'durationMs', { get: elapsed, enumerable: true }) as Timer;
}
