import { clearTimer, setTimer } from './clock.js';

/** Resolves with what is answered in time, or else with `late`. */
export function inTime<T>(answers: Promise<T>, late: T, timeoutMs: number): Promise<T> {
  return new Promise((resolve) => {
    const timer = setTimer(() => resolve(late), timeoutMs).unref();
    void answers.then((answered) => {
      clearTimer(timer);
      resolve(answered);
    });
  });
}
