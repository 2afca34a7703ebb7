import { type ApplicationRedis, ask, execute } from './execute.js';
import { inTime } from './in_time.js';
import type { Answer } from './reply.js';
import type { Transport } from './transport.js';

/** Sends over the application's own Redis client. It is never closed from here. */
export class AppTransport implements Transport {
  readonly #redis: ApplicationRedis;
  readonly #stream: string;
  readonly #answerMs: number;
  /** Commands whose time ran out stay with the application's client: nothing more until they end. */
  #busy = false;

  constructor(redis: ApplicationRedis, stream: string, answerMs: number) {
    this.#redis = redis;
    this.#stream = stream;
    this.#answerMs = answerMs;
  }

  async open(): Promise<void> {
    if (this.#busy) {
      throw new Error('the application’s Redis client has not answered yet');
    }
    if ('status' in this.#redis && this.#redis.status === 'wait') {
      await this.#redis.connect();
    }
    // Either client keeps commands in memory while it is not connected, and sends them later.
    const ready = 'isReady' in this.#redis ? this.#redis.isReady : this.#redis.status === 'ready';
    if (!ready) {
      throw new Error('the application’s Redis client is not connected');
    }
  }

  send(commands: readonly (readonly string[])[]): Promise<Answer[]> {
    return this.#patiently(execute(this.#redis, commands), []);
  }

  ask(question: readonly string[]): Promise<Answer> {
    return this.#patiently(ask(this.#redis, this.#stream, question), undefined);
  }

  close(): void {
    // The application's own to close.
  }

  #patiently<T>(answers: Promise<T>, late: T): Promise<T> {
    this.#busy = true;
    void answers.then(() => {
      this.#busy = false;
    });
    return inTime(answers, late, this.#answerMs);
  }
}
