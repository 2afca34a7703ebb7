import { clearTimer, nextTurn, setTimer } from './clock.js';

/**
 * Gives up after so long, unless what it returns is called before. A process that was kept from running, as by SIGSTOP
 * or a busy machine, finds its timers due before it reads what has come meanwhile: so it reads once more, which takes a
 * turn of the event loop, and another until it is told.
 */
export function giveUpAfter(ms: number, giveUp: () => void): () => void {
  let isOver = false;
  const lookAgain = async (): Promise<void> => {
    await nextTurn();
    await nextTurn();
    if (!isOver) {
      giveUp();
    }
  };
  const timer = setTimer(() => void lookAgain(), ms).unref();
  return () => {
    isOver = true;
    clearTimer(timer);
  };
}
