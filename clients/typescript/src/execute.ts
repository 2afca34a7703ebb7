import { type Answer, RedisRefusal, type Reply } from './reply.js';

/** What is used of an application's ioredis instance, `Redis` or `Cluster`. */
export interface IoredisLike {
  status: string;
  isCluster?: boolean;
  connect(): Promise<unknown>;
  pipeline(): IoredisPipeline;
}

/** Commands that ioredis sends together. */
export interface IoredisPipeline {
  options?: object;
  call(command: string, ...words: string[]): unknown;
  exec(): Promise<[unknown, unknown][] | null>;
}

/** What is used of a node-redis instance, the application's or the client's own. */
export interface NodeRedisLike {
  isReady: boolean;
  sendCommand(words: string[]): Promise<unknown>;
}

/** A Redis client that the application has already. */
export type ApplicationRedis = IoredisLike | NodeRedisLike;

/** Sends commands at once and resolves with what became of them, in order. Never rejects. */
export async function execute(redis: ApplicationRedis, commands: readonly (readonly string[])[]): Promise<Answer[]> {
  try {
    return await ('pipeline' in redis ? viaIoredis(redis, commands) : viaNodeRedis(redis, commands));
  } catch {
    return [];
  }
}

/** Asks the server that holds a key something that is not about the key. Never rejects. */
export async function ask(redis: ApplicationRedis, key: string, question: readonly string[]): Promise<Answer> {
  // In a cluster any node may get a command without a key; in a pipeline it goes where the others go.
  const guide = 'isCluster' in redis && redis.isCluster ? [['EXISTS', key]] : [];
  const answers = await execute(redis, [...guide, question]);
  return answers[guide.length];
}

async function viaIoredis(redis: IoredisLike, commands: readonly (readonly string[])[]): Promise<Answer[]> {
  const pipeline = redis.pipeline();
  // The stream is shared with other services: the `keyPrefix` that the application has for its own keys is not for it.
  pipeline.options = Object.create(pipeline.options ?? null, { keyPrefix: { value: '' } });
  for (const [name = '', ...words] of commands) {
    // Older versions find the key, and with it the node, for names in lower case only.
    pipeline.call(name.toLowerCase(), ...words);
  }
  const answers = (await pipeline.exec()) ?? [];
  return answers.map(([error, reply]) => (error ? asRefusal(error) : (reply as Reply)));
}

/** By single commands: `multi().execAsPipeline()` tells of the first error only, and costs no less. */
function viaNodeRedis(redis: NodeRedisLike, commands: readonly (readonly string[])[]): Promise<Answer[]> {
  // The words are only read. Version 4 declares otherwise.
  const send = (words: readonly string[]) => redis.sendCommand(words as string[]) as Promise<Reply>;
  return Promise.all(commands.map((command) => send(command).catch(asRefusal)));
}

/** An error with a code in capitals is Redis' answer; any other means that there was none. */
function asRefusal(error: unknown): RedisRefusal | undefined {
  const message = error instanceof Error ? error.message : String(error);
  return /^[A-Z]{2,} /.test(message) ? new RedisRefusal(message) : undefined;
}
