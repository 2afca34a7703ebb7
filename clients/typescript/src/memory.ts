import type { Reply } from './resp.js';

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

  /** Takes the answer to the question. Where it may not be asked, an attempt will tell. */
  answered(reply: Reply | undefined, nowMs: number): void {
    this.#askedAt = nowMs;
    this.#short = typeof reply === 'string' && usedShare(reply) > USED_MAX;
  }
}

function usedShare(info: string): number {
  const used = Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? 0);
  const max = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0);
  return max > 0 ? used / max : 0;
}
