import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventClient } from '@emp/events';
import { RedisServer, balanced, emit, freezeUnderWay, until } from './redis.mjs';

const quick = { connectTimeoutMs: 300, answerTimeoutMs: 400, ratePerSecond: 0 };

async function connected(t, server, options = {}) {
  const client = new EventClient('worker', { url: server.url, ...quick, ...options });
  t.after(() => client.close(50));
  return client;
}

test('what is emitted before Redis starts arrives once it has', async (t) => {
  const server = await RedisServer.planned(t);
  const client = await connected(t, server);
  emit(client, 1_000);
  await sleep(300);
  assert.equal(balanced(client).queued, 1_000);
  await server.start();
  await until(() => client.stats().queued === 0);
  assert.equal(balanced(client).sent, 1_000);
  assert.equal(await server.added(), 1_000);
});

test('a short outage loses nothing that was not under way', async (t) => {
  const server = await RedisServer.start(t);
  const client = await connected(t, server);
  emit(client, 10);
  assert.ok(await client.flush());
  await server.stop();
  for (let round = 0; round < 20; round += 1) {
    emit(client, 50);
    await sleep(10);
  }
  await server.start();
  await until(() => client.stats().queued === 0);
  const stats = balanced(client);
  assert.deepEqual([stats.emitted, stats.sent], [1_010, 1_010]);
  assert.equal(await server.added(), 1_000);
});

test('a long outage fills the queue, then drops the newest, and tells of it', async (t) => {
  const server = await RedisServer.planned(t);
  const client = await connected(t, server, { maxQueueEvents: 500 });
  emit(client, 400);
  await until(() => client.stats().queued === 400 && sleep(600).then(() => true));
  emit(client, 400);
  const { queued, reasons } = balanced(client);
  assert.equal(queued, 500);
  assert.deepEqual(reasons, { circuit_open: 300 });
  await server.start();
  await until(async () => (await server.added()) === 501);
  const entries = await server.entries();
  assert.equal(JSON.parse(entries[499].data).index, 99);
  assert.deepEqual(JSON.parse(entries[500].data).reasons, { circuit_open: 300 });
  assert.equal(balanced(client).emitted, 801);
});

test('a burst larger than the queue counts as queue_full', async (t) => {
  const server = await RedisServer.start(t);
  const client = await connected(t, server, { maxQueueEvents: 100 });
  emit(client, 250);
  assert.deepEqual(balanced(client).reasons, { queue_full: 150 });
  assert.ok(await client.flush());
  const bytes = await connected(t, server, { maxQueueBytes: 50_000 });
  emit(bytes, 100, { text: 'x'.repeat(1_000) });
  const { queued, dropped } = balanced(bytes);
  assert.ok(queued > 30 && queued < 50 && queued + dropped === 100);
});

test('a frozen server costs the batch under way and nothing else', async (t) => {
  const server = await RedisServer.start(t);
  const client = await connected(t, server);
  await freezeUnderWay(client, server);
  emit(client, 300);
  await sleep(800);
  assert.equal(balanced(client).queued, 300);
  assert.equal(await client.flush(100), false);
  server.thaw();
  await until(() => client.stats().queued === 0);
  const { sent, dropped } = balanced(client);
  assert.deepEqual([sent, dropped], [306, 20]);
  // The frozen server had the twenty in its buffers, and may have stored them after all.
  assert.ok([306, 326].includes(await server.added()));
});

test('closing while Redis is frozen accounts for what was under way', async (t) => {
  const server = await RedisServer.start(t);
  const client = await connected(t, server);
  emit(client, 5);
  assert.ok(await client.flush());
  server.freeze();
  emit(client, 20);
  await sleep(100);
  emit(client, 30);
  assert.equal(await client.close(50), false);
  await until(() => client.stats().queued === 0);
  assert.deepEqual(balanced(client).reasons, { closed: 30, unanswered: 20 });
});

test('a connection cut in between is made anew', async (t) => {
  const server = await RedisServer.start(t);
  const client = await connected(t, server);
  for (let round = 0; round < 5; round += 1) {
    emit(client, 100);
    assert.ok(await client.flush());
    await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await sleep(20);
  }
  assert.equal(balanced(client).sent, 500);
  assert.equal(await server.added(), 500);
});

test('out of memory: events wait, and arrive once there is room', async (t) => {
  const server = await RedisServer.start(t, ['--maxmemory-policy', 'noeviction']);
  const client = await connected(t, server);
  await server.command('CONFIG', 'SET', 'maxmemory', '1');
  emit(client, 200);
  await sleep(300);
  assert.equal(balanced(client).queued, 200);
  await server.command('CONFIG', 'SET', 'maxmemory', '0');
  await until(() => client.stats().queued === 0);
  assert.equal(balanced(client).sent, 200);
  assert.equal(await server.added(), 200);
});

test('a user without permission: refused, counted, told once', async (t) => {
  const server = await RedisServer.start(t);
  await server.command('ACL', 'SETUSER', 'app', 'on', '>pw', '~*', '+ping');
  const told = [];
  const client = await connected(t, server, {
    url: `redis://app:pw@127.0.0.1:${server.port}`,
    onProblem: (message) => told.push(message),
  });
  for (let round = 0; round < 3; round += 1) {
    emit(client, 10);
    await client.flush(300);
  }
  assert.equal(balanced(client).reasons.refused, 30);
  assert.equal(told.length, 1);
  assert.match(told[0], /NOPERM/);
});

test('a user who may add events and nothing else is enough', async (t) => {
  const server = await RedisServer.start(t);
  await server.command('ACL', 'SETUSER', 'app', 'on', '>p@ss', '~emp:events', '+xadd');
  const client = await connected(t, server, { url: `redis://app:p%40ss@127.0.0.1:${server.port}` });
  emit(client, 10);
  assert.ok(await client.flush());
  assert.equal(await server.added(), 10);
});

test('a wrong password keeps the events queued', async (t) => {
  const server = await RedisServer.start(t, ['--requirepass', 'right']);
  const client = await connected(t, server, { url: `redis://:wrong@127.0.0.1:${server.port}` });
  emit(client, 10);
  assert.equal(await client.flush(300), false);
  assert.equal(balanced(client).queued, 10);
});

test('a key of another type: refused', async (t) => {
  const server = await RedisServer.start(t);
  await server.command('SET', 'emp:events', 'text');
  const client = await connected(t, server);
  emit(client, 10);
  assert.equal(await client.flush(), false);
  assert.deepEqual(balanced(client).reasons, { refused: 10 });
});

test('a replica refuses, and takes the events once it is promoted', async (t) => {
  const main = await RedisServer.start(t, ['--repl-diskless-sync-delay', '0']);
  const replica = await RedisServer.start(t, ['--replicaof', '127.0.0.1', String(main.port)]);
  await until(async () => (await replica.command('INFO', 'replication')).includes('master_link_status:up'));
  const client = await connected(t, replica);
  emit(client, 50);
  await sleep(200);
  assert.equal(balanced(client).queued, 50);
  await replica.command('REPLICAOF', 'NO', 'ONE');
  await until(() => client.stats().queued === 0);
  assert.equal(await replica.added(), 50);
});

test('an address that is none, or leads to something else, is harmless', async (t) => {
  const { createServer } = await import('node:http');
  const http = createServer((_, response) => response.end('hello')).listen(0);
  t.after(() => http.close());
  const told = [];
  for (const url of ['nonsense', `redis://127.0.0.1:${http.address().port}`, 'redis://no-such-host.invalid']) {
    const client = new EventClient('x', { ...quick, url, onProblem: (message) => told.push(message) });
    emit(client, 5);
    assert.equal(await client.close(400), false);
    assert.deepEqual(balanced(client).reasons, { closed: 5 });
  }
  assert.equal(told.length, 3);
});

test('a function of the application that fails when told is ignored', async (t) => {
  const client = new EventClient('x', {
    ...quick,
    url: 'nonsense',
    onProblem: () => { throw new Error('mine'); },
  });
  emit(client, 1);
  await sleep(50);
  assert.equal(await client.close(50), false);
});

test('through restarts, freezes and refusals the counts add up at every moment', async (t) => {
  const server = await RedisServer.start(t);
  const client = await connected(t, server, { maxQueueEvents: 3_000 });
  const faults = [
    async () => { await server.stop(); await sleep(100); await server.start(); },
    async () => { server.freeze(); await sleep(500); server.thaw(); },
    async () => { await server.command('CONFIG', 'SET', 'maxmemory', '1'); await sleep(100); await server.command('CONFIG', 'SET', 'maxmemory', '0'); },
    async () => { await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'); },
  ];
  let ended = false;
  const load = (async () => {
    while (!ended) {
      emit(client, 40);
      balanced(client);
      await sleep(5);
    }
  })();
  for (const fault of faults) {
    await fault();
    await sleep(50);
  }
  ended = true;
  await load;
  await until(() => client.stats().queued === 0, 10_000);
  const { emitted, sent, dropped } = balanced(client);
  assert.equal(emitted, sent + dropped);
  assert.ok(sent > 0);
});
