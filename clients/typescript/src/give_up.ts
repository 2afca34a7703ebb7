import { clearTimer, setTimer } from './clock.js';

/** Patience is counted in so many parts. What is waited for may take that many turns of the event loop. */
const PARTS = 20;

/**
 * Gives up after so long, unless what it returns is called before. A process that was kept from running, as by SIGSTOP,
 * a busy machine or a module that is being loaded, finds its timers due before it has read what came meanwhile, or has
 * gone on with what it had begun: so time in which the event loop stands still counts for no more than one part.
 */
export function giveUpAfter(ms: number, giveUp: () => void): () => void {
  let left = PARTS;
  let timer: ReturnType<typeof setTimer>;
  const waitOn = (): void => {
    timer = setTimer(
      () => {
        left -= 1;
        if (left > 0) {
          waitOn();
        } else {
          giveUp();
        }
      },
      Math.ceil(ms / PARTS),
    ).unref();
  };
  waitOn();
  return () => clearTimer(timer);
}
