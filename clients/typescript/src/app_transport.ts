import { RedisRefusal, type Reply } from './resp.js';
import type { Timeouts, Transport } from './transport.js';

/** What the client uses of an application's ioredis instance (`Redis` or `Cluster`). */
export interface IoredisLike {
  status: string;
  connect(): Promise<unknown>;
  pipeline(): { call(command: string, ...words: string[]): unknown; exec(): Promise<[unknown, unknown][] | null> };
}

/** What the client uses of an application's node-redis instance. */
export interface NodeRedisLike {
  isReady: boolean;
  sendCommand(words: string[]): Promise<unknown>;
}

/** A Redis client that the application has already. */
export type ApplicationRedis = IoredisLike | NodeRedisLike;

/** Sends over the application's own Redis client. It is never closed from here. */
export class AppTransport implements Transport {
  readonly #redis: ApplicationRedis;
  readonly #timeouts: Timeouts;
  /** Commands whose time ran out stay with the application's client: nothing more until they end. */
  #busy = false;

  constructor(redis: ApplicationRedis, timeouts: Timeouts) {
    this.#redis = redis;
    this.#timeouts = timeouts;
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

  send(commands: readonly (readonly string[])[]): Promise<Reply[]> {
    this.#busy = true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve([]), this.#timeouts.answerMs).unref();
      const settle = (replies: Reply[]): void => {
        clearTimeout(timer);
        this.#busy = false;
        resolve(replies);
      };
      this.#execute(commands).then(settle, () => settle([]));
    });
  }

  close(): void {
    // The application's own to close.
  }

  async #execute(commands: readonly (readonly string[])[]): Promise<Reply[]> {
    return 'pipeline' in this.#redis ? viaIoredis(this.#redis, commands) : viaNodeRedis(this.#redis, commands);
  }
}

async function viaIoredis(redis: IoredisLike, commands: readonly (readonly string[])[]): Promise<Reply[]> {
  const pipeline = redis.pipeline();
  for (const [name = '', ...words] of commands) {
    pipeline.call(name, ...words);
  }
  const answers = (await pipeline.exec()) ?? [];
  return untilLost(answers.map(([error, reply]) => (error ? asRefusal(error) : (reply as Reply))));
}

async function viaNodeRedis(redis: NodeRedisLike, commands: readonly (readonly string[])[]): Promise<Reply[]> {
  const answers = await Promise.allSettled(commands.map((command) => redis.sendCommand([...command])));
  return untilLost(
    answers.map((answer) => (answer.status === 'fulfilled' ? (answer.value as Reply) : asRefusal(answer.reason))),
  );
}

/** An error with a code in capitals is Redis' answer; any other means that there was none. */
function asRefusal(error: unknown): RedisRefusal | undefined {
  const message = error instanceof Error ? error.message : String(error);
  return /^[A-Z]{2,} /.test(message) ? new RedisRefusal(message) : undefined;
}

function untilLost(replies: (Reply | undefined)[]): Reply[] {
  const lost = replies.indexOf(undefined);
  return (lost < 0 ? replies : replies.slice(0, lost)) as Reply[];
}
