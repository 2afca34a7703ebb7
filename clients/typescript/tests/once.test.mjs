import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventClient } from '@emp/events';
import Redis from 'ioredis';
import { createClient } from 'redis';
import { PATIENCE_MS, RedisServer, balanced, patient, until } from './redis.mjs';

test('of events with the same text the first is written, whoever emits them and by whichever client', async (t) => {
  const server = await RedisServer.start(t);
  const ioredis = new Redis(server.port, { keyPrefix: 'app:' });
  const nodeRedis = await createClient({ url: server.url }).connect();
  const ways = [{ url: server.url }, { url: server.url }, { redis: ioredis }, { redis: nodeRedis }];
  const clients = ways.map((way) => new EventClient('api-server', { ...patient, ...way }));
  for (const client of clients) {
    for (const number of [1, 2, 3]) {
      client.event('test.emitted', { number }, { once: `number ${number}` });
    }
    client.event('test.emitted', { number: 0 });
  }
  for (const client of clients) {
    assert.ok(await client.close(PATIENCE_MS));
    assert.equal(balanced(client).sent, 4);
  }
  await Promise.all([ioredis.quit(), nodeRedis.close()]);
  const numbers = (await server.entries()).map(({ data }) => JSON.parse(data).number);
  assert.deepEqual(numbers.sort(), [0, 0, 0, 0, 1, 2, 3]);
  const keys = (await server.command('KEYS', '*')).sort();
  assert.deepEqual(keys, ['emp:events', ...[1, 2, 3].map((number) => `{emp:events}:once:number ${number}`)]);
  assert.ok((await server.command('PTTL', keys[1])) > 0, 'it is forgotten some day');
});

test('an event that a full Redis refused is written once it has room', async (t) => {
  const server = await RedisServer.start(t);
  await server.command('CONFIG', 'SET', 'maxmemory', '1');
  const client = new EventClient('api-server', { url: server.url, ...patient });
  t.after(() => client.close());
  client.event('test.emitted', {}, { once: 'full' });
  await client.flush(50);
  assert.equal(balanced(client).queued, 1);
  await server.command('CONFIG', 'SET', 'maxmemory', '0');
  await until(() => client.stats().sent === 1);
  assert.equal((await server.entries()).length, 1);
});
