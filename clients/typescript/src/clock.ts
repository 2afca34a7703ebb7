// Taken when this is loaded: a test's fake timers must neither stop a client nor date its events.

const { clearTimeout: clear, setImmediate: setNext, setTimeout: set } = globalThis;

/** The time of day, in ms since the epoch: for what is told, never for how long something takes. */
export const now: () => number = Date.now.bind(Date);

/** Milliseconds since some moment, which no change of the clock disturbs. */
export const uptimeMs: () => number = performance.now.bind(performance);

/** Resolves in the next turn of the event loop. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => void setNext(resolve));

export { clear as clearTimer, set as setTimer };
