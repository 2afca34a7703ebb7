// What `close` gives up is counted before it returns, and nothing changes after it.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import Redis from 'ioredis';
import { EventClient } from '@emp/events';
import { PATIENCE_MS, Relay, RedisServer, balanced, emit, freePort, patient, problems, temporaryFolder, until } from './redis.mjs';

/** A disk that takes longer is given up. */
const DISK_MS = 5_000;

/** Closes a client. Gives back its counts at that moment, and a check that they stay so. */
async function closed(client, timeoutMs = 50) {
  assert.equal(await client.close(timeoutMs), false);
  const stats = balanced(client);
  assert.equal(stats.queued, 0);
  return { stats, stays: () => assert.deepEqual(balanced(client), stats) };
}

/** A client whose server is frozen with 20 of its events under way, while 30 more wait. */
async function frozen(t, options) {
  const server = await RedisServer.start(t);
  const relay = await Relay.start(t, server);
  const client = new EventClient('x', { ...patient, ...options(relay) });
  emit(client, 5);
  assert.ok(await client.flush(PATIENCE_MS));
  server.freeze();
  const before = relay.passed;
  emit(client, 20);
  await until(() => relay.passed > before);
  emit(client, 30);
  return { client, server };
}

test('a frozen server: what was under way is unanswered, the rest is given up', async (t) => {
  const { client, server } = await frozen(t, ({ url }) => ({ url }));
  const { stats, stays } = await closed(client);
  assert.deepEqual(stats.reasons, { closed: 30, unanswered: 20 });
  server.thaw();
  await until(async () => (await server.added()) === 25);
  stays();
});

test('a frozen server behind a lent client', async (t) => {
  let redis;
  const { client, server } = await frozen(t, ({ url }) => {
    redis = new Redis(url, { lazyConnect: true });
    t.after(() => redis.disconnect());
    return { redis };
  });
  const { stats, stays } = await closed(client);
  assert.deepEqual(stats.reasons, { closed: 30, unanswered: 20 });
  server.thaw();
  assert.equal(await redis.ping(), 'PONG');
  stays();
});

test('a frozen server, and a spool', async (t) => {
  const { client } = await frozen(t, ({ url }) => ({ url, spoolDir: temporaryFolder(t) }));
  const { stats } = await closed(client);
  assert.deepEqual([stats.spooled, stats.reasons], [30, { unanswered: 20 }]);
});

test('a process that is kept from running while it writes its spool, for longer than a disk may take', async (t) => {
  const folder = join(temporaryFolder(t), 'spool');
  const client = new EventClient('x', { ...patient, url: `redis://127.0.0.1:${await freePort()}`, spoolDir: folder });
  emit(client, 30);
  const closing = closed(client);
  // The first thing that is done on the disk; the others are still to come.
  while (!existsSync(folder)) {
    await new Promise((turn) => void setImmediate(turn));
  }
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, DISK_MS + 500);
  const { stats } = await closing;
  assert.deepEqual([stats.spooled, stats.reasons], [30, {}]);
});

test('a killed server', async (t) => {
  const server = await RedisServer.start(t);
  const { told, onProblem } = problems();
  const client = new EventClient('x', { ...patient, url: server.url, onProblem });
  emit(client, 5);
  assert.ok(await client.flush(PATIENCE_MS));
  await server.stop();
  emit(client, 50);
  await until(() => told.length > 0);
  const { stats, stays } = await closed(client);
  assert.deepEqual(stats.reasons, { closed: 50 });
  await server.start();
  stays();
});

test('nobody listens', async () => {
  const client = new EventClient('x', { ...patient, url: `redis://127.0.0.1:${await freePort()}` });
  emit(client, 50);
  const { stats } = await closed(client);
  assert.deepEqual(stats.reasons, { closed: 50 });
});

test('a server that refuses', async (t) => {
  const server = await RedisServer.start(t);
  await server.command('SET', 'emp:events', 'text');
  const client = new EventClient('x', { ...patient, url: server.url });
  emit(client, 50);
  const { stats } = await closed(client, PATIENCE_MS);
  assert.deepEqual(stats.reasons, { refused: 50 });
});

test('flush gives nothing up, and the counts hold when it returns', async (t) => {
  const { client, server } = await frozen(t, ({ url }) => ({ url }));
  assert.equal(await client.flush(0), false);
  assert.equal(balanced(client).queued, 50);
  server.thaw();
  assert.ok(await client.flush(PATIENCE_MS));
  assert.equal(balanced(client).sent, 55);
  assert.ok(await client.close(PATIENCE_MS));
});
