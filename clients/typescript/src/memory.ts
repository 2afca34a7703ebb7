import { uptimeMs } from './clock.js';
import type { Answer } from './reply.js';
import type { Transport } from './transport.js';

const ASK_EVERY_MS = 10_000;
const USED_MAX = 0.9;

const MEMORY_QUESTION: readonly string[] = ['INFO', 'memory'];

/** Knows whether Redis is short of memory. */
export class MemoryWatch {
  #askedAt = -Infinity;
  #short = false;

  /** Should events stay out of Redis? */
  get short(): boolean {
    return this.#short;
  }

  /** Is it time to ask again? */
  get due(): boolean {
    return uptimeMs() - this.#askedAt >= ASK_EVERY_MS;
  }

  /** Redis has refused an event for want of memory. */
  refused(): void {
    this.#short = true;
    this.#askedAt = uptimeMs();
  }

  /** The same, but asks Redis first where it is time to. Throws where it does not answer. */
  async isShort(transport: Transport): Promise<boolean> {
    if (!this.due) {
      return this.#short;
    }
    const answer = await transport.ask(MEMORY_QUESTION);
    if (answer === undefined) {
      transport.close();
      throw new Error('Redis does not answer');
    }
    this.#answered(answer);
    return this.#short;
  }

  /**
   * `null`: it is not known yet whom to ask, and stays due. Where Redis may not be asked, or not
   * yet, an attempt will tell.
   */
  #answered(answer: Exclude<Answer, undefined>): void {
    this.#short = typeof answer === 'string' && usedShare(answer) > USED_MAX;
    if (answer !== null) {
      this.#askedAt = uptimeMs();
    }
  }
}

function usedShare(info: string): number {
  const used = Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? 0);
  const max = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0);
  return max > 0 ? used / max : 0;
}
