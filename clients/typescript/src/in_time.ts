/** Resolves with what is answered in time, or else with `late`. */
export function inTime<T>(answers: Promise<T>, late: T, timeoutMs: number): Promise<T> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(late), timeoutMs).unref();
    void answers.then((answered) => {
      clearTimeout(timer);
      resolve(answered);
    });
  });
}
