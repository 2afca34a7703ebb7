import { giveUpAfter } from './give_up.js';

/** Resolves with what is answered in time, or else with `late`. */
export function inTime<T>(answers: Promise<T>, late: T, timeoutMs: number): Promise<T> {
  return new Promise((resolve) => {
    const done = giveUpAfter(timeoutMs, () => resolve(late));
    void answers.then((answered) => {
      done();
      resolve(answered);
    });
  });
}
