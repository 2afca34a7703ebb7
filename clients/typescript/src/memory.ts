import type { Answer } from './reply.js';

const ASK_EVERY_MS = 10_000;
const USED_MAX = 0.9;

/** Asks how much of its memory Redis uses. */
export const MEMORY_QUESTION: readonly string[] = ['INFO', 'memory'];

/** Knows whether Redis is short of memory. */
export class MemoryWatch {
  #askedAt = -Infinity;
  #short = false;

  /** Should events stay out of Redis? */
  get short(): boolean {
    return this.#short;
  }

  /** Is it time to ask again? */
  due(nowMs: number): boolean {
    return nowMs - this.#askedAt >= ASK_EVERY_MS;
  }

  /** Redis has refused an event for want of memory. */
  refused(nowMs: number): void {
    this.#short = true;
    this.#askedAt = nowMs;
  }

  /**
   * Takes the answer to the question; `null`: it is not known yet whom to ask, and stays due. Where
   * Redis may not be asked, or not yet, an attempt will tell.
   */
  answered(answer: Answer, nowMs: number): void {
    this.#short = typeof answer === 'string' && usedShare(answer) > USED_MAX;
    if (answer !== null) {
      this.#askedAt = nowMs;
    }
  }
}

function usedShare(info: string): number {
  const used = Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? 0);
  const max = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0);
  return max > 0 ? used / max : 0;
}
