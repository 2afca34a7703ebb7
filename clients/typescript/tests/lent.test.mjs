// The application's own Redis client, lent to ours.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Redis from 'ioredis';
import { createClient } from 'redis';
import { createClient as createClientOf4 } from 'redis-4';
import { EventClient } from '@emp/events';
import { PATIENCE_MS, RedisServer, balanced, emit, freezeUnderWay, patient, quick, until } from './redis.mjs';

/** Each kind of client: how it is made, whether it is connected, and how it is ended. */
const KINDS = {
  ioredis: {
    make: (server) => new Redis(server.port, { lazyConnect: true, retryStrategy: () => 20 }),
    ready: (redis) => redis.status === 'ready',
    end: (redis) => redis.disconnect(),
  },
  'node-redis 5': nodeRedis(createClient),
  'node-redis 4': nodeRedis(createClientOf4),
};

function nodeRedis(create) {
  return {
    make: (server) => create({ url: server.url, socket: { reconnectStrategy: () => 20 } }),
    ready: (redis) => redis.isReady,
    end: (redis) => redis.disconnect(),
  };
}

async function lent(t, kind, limits = patient) {
  const server = await RedisServer.start(t);
  const redis = KINDS[kind].make(server);
  redis.on('error', () => {});
  t.after(() => KINDS[kind].end(redis));
  if (kind !== 'ioredis') {
    await redis.connect();
  }
  const client = new EventClient('x', { ...limits, redis });
  return { server, redis, client };
}

test('ioredis with a prefix for the application’s keys: events go to the stream that is read', async (t) => {
  const server = await RedisServer.start(t);
  const redis = new Redis(server.port, { keyPrefix: 'app:' });
  t.after(() => redis.disconnect());
  await redis.set('own', '1');
  const client = new EventClient('x', { ...patient, redis });
  emit(client, 5);
  assert.ok(await client.close(PATIENCE_MS));
  assert.deepEqual([await server.added('emp:events'), await server.added('app:emp:events')], [5, 0]);
  assert.equal(await redis.get('own'), '1');
});

/** Where an application may have set a prefix for its keys. */
const PREFIXES = {
  'of the cluster': { keyPrefix: 'app:' },
  'of its nodes': { redisOptions: { keyPrefix: 'app:' } },
  'with automatic pipelines': { keyPrefix: 'app:', enableAutoPipelining: true },
};

for (const [name, options] of Object.entries(PREFIXES)) {
  test(`a cluster of ioredis with a prefix ${name}: events go to the stream that is read`, async (t) => {
    const server = await RedisServer.start(t, ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']);
    await server.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await until(async () => (await server.command('CLUSTER', 'INFO')).includes('cluster_state:ok'));
    const redis = new Redis.Cluster([{ host: '127.0.0.1', port: server.port }], options);
    t.after(() => redis.disconnect());
    await redis.set('own', '1');
    const client = new EventClient('x', { ...patient, redis });
    emit(client, 5);
    client.event('test.emitted', {}, { once: 'first' });
    assert.ok(await client.close(PATIENCE_MS));
    assert.equal(await server.added(), 6);
    assert.deepEqual((await server.command('KEYS', '*')).sort(), ['app:own', 'emp:events', '{emp:events}:once:first']);
  });
}

for (const kind of Object.keys(KINDS)) {
  test(`${kind}: it is used, and left open`, async (t) => {
    const { server, redis, client } = await lent(t, kind);
    emit(client, 700);
    assert.ok(await client.flush(PATIENCE_MS));
    const entries = await server.entries();
    assert.deepEqual(entries.map(({ data }) => JSON.parse(data).index), Array.from({ length: 700 }, (_, index) => index));
    await server.command('DEL', 'emp:events');
    await server.command('SET', 'emp:events', 'text');
    emit(client, 3);
    assert.equal(await client.flush(PATIENCE_MS), false);
    const { sent, reasons } = balanced(client);
    assert.deepEqual([sent, reasons], [700, { refused: 3 }]);
    await client.close(50);
    assert.equal(await redis.ping(), 'PONG');
  });

  test(`${kind}: once it has lost its server, the events stay queued`, async (t) => {
    const { server, redis, client } = await lent(t, kind);
    emit(client, 5);
    assert.ok(await client.flush(PATIENCE_MS));
    await server.stop();
    await until(() => !KINDS[kind].ready(redis));
    emit(client, 50);
    assert.equal(await client.flush(200), false);
    await server.start();
    await until(() => client.stats().queued === 0);
    assert.equal(await server.added(), 50);
    assert.equal(balanced(client).dropped, 0);
    await client.close(50);
  });

  test(`${kind}: while its server is frozen, it is given one batch and no more`, async (t) => {
    const { server, client } = await lent(t, kind, quick);
    await freezeUnderWay(client, server);
    emit(client, 30);
    assert.equal(await client.flush(200), false);
    assert.equal(balanced(client).queued, 30);
    server.thaw();
    await until(() => client.stats().queued === 0);
    assert.deepEqual(balanced(client).reasons, { unanswered: 20 });
    const reports = (await server.entries()).filter(({ eventType }) => eventType === 'telemetry.dropped');
    assert.equal(await server.added(), 55 + reports.length);
    await client.close(50);
  });
}
