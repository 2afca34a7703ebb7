// Taken when this is loaded: a test's fake timers must neither stop a client nor date its events.

const { clearTimeout: clear, setTimeout: set } = globalThis;

/** The time of day, in ms since the epoch: for what is told, never for how long something takes. */
export const now: () => number = Date.now.bind(Date);

/** Milliseconds since some moment, which no change of the clock disturbs. */
export const uptimeMs: () => number = performance.now.bind(performance);

export { clear as clearTimer, set as setTimer };
