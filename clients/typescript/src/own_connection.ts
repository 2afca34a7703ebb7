import type { RedisClientType } from '@redis/client';
import { execute } from './execute.js';
import { giveUpAfter } from './give_up.js';
import { type Target, newRedis } from './own_redis.js';
import { type Answer, RedisRefusal } from './reply.js';
import type { Timeouts } from './transport.js';

/** A connection to a server, from its making to its end. */
export class OwnConnection {
  readonly #target: Target;
  readonly #timeouts: Timeouts;
  #redis: RedisClientType | undefined;
  readonly #end = new AbortController();

  constructor(target: Target, timeouts: Timeouts) {
    this.#target = target;
    this.#timeouts = timeouts;
  }

  /** Can commands be sent? */
  get usable(): boolean {
    return this.#redis?.isReady === true && !this.#end.signal.aborted;
  }

  /** Connects, once. Rejects where that fails, or takes too long. */
  async open(): Promise<this> {
    let late = false;
    const done = giveUpAfter(this.#timeouts.connectMs, () => {
      late = true;
      this.close();
    });
    try {
      this.#redis = await newRedis(this.#target, this.#timeouts.connectMs, this.#end.signal);
      this.#redis.on('error', () => this.close());
      await this.#redis.connect();
      await this.#greet();
      return this;
    } catch (error) {
      this.close();
      throw new Error(`${this.#target.name}: ${late ? 'no answer' : reasonOf(error)}`);
    } finally {
      done();
    }
  }

  /** Sends commands. The connection is closed where they are not all answered in time. Never rejects. */
  async send(commands: readonly (readonly string[])[]): Promise<Answer[]> {
    const done = giveUpAfter(this.#timeouts.answerMs, () => this.close());
    const answers = this.#redis ? await execute(this.#redis, commands) : [];
    done();
    return answers;
  }

  /** Sends one command. */
  async ask(question: readonly string[]): Promise<Answer> {
    return (await this.send([question]))[0];
  }

  /** Ends the connection. What is not answered yet never is. */
  close(): void {
    this.#end.abort();
  }

  /**
   * Sees that the server answers: a frozen one accepts connections and bytes, and whatever was
   * sent to it would be lost.
   */
  async #greet(): Promise<void> {
    const answer = await this.ask(['PING']);
    if (answer instanceof RedisRefusal && !isHarmless(answer)) {
      throw new Error(answer.message);
    }
    if (answer === undefined) {
      throw new Error('the connection was lost');
    }
  }
}

/** A user that may do nothing but add events is refused the `PING`, and is welcome. */
function isHarmless(refusal: RedisRefusal): boolean {
  return refusal.code === 'NOPERM';
}

/** Where a name has several addresses, and none of them works, an error has a code and no message. */
function reasonOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return message || code || String(error);
}
