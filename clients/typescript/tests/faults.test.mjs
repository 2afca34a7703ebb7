import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventClient } from '@emp/events';
import { PATIENCE_MS, RedisServer, balanced, emit, freezeUnderWay, patient, problems, quick, until } from './redis.mjs';

function connected(t, server, options = {}) {
  const client = new EventClient('worker', { url: server.url, ...patient, ...options });
  t.after(() => client.close(50));
  return client;
}

test('what is emitted before Redis starts arrives once it has', async (t) => {
  const server = await RedisServer.planned(t);
  const { told, onProblem } = problems();
  const client = connected(t, server, { onProblem });
  emit(client, 1_000);
  await until(() => told.length > 0);
  assert.equal(balanced(client).queued, 1_000);
  await server.start();
  await until(() => client.stats().queued === 0);
  assert.equal(balanced(client).sent, 1_000);
  assert.equal(await server.added(), 1_000);
});

test('a short outage loses nothing that was not under way', async (t) => {
  const server = await RedisServer.start(t);
  const { told, onProblem } = problems();
  const client = connected(t, server, { onProblem });
  emit(client, 10);
  assert.ok(await client.flush(PATIENCE_MS));
  await server.stop();
  emit(client, 500);
  await until(() => told.length > 0);
  emit(client, 500);
  await server.start();
  await until(() => client.stats().queued === 0);
  const stats = balanced(client);
  assert.deepEqual([stats.emitted, stats.sent], [1_010, 1_010]);
  assert.equal(await server.added(), 1_000);
});

test('a long outage fills the queue, then drops the newest, and tells of it', async (t) => {
  const server = await RedisServer.planned(t);
  const client = connected(t, server, { maxQueueEvents: 500 });
  emit(client, 500);
  await until(() => {
    emit(client, 1);
    return client.stats().reasons.circuit_open > 0;
  });
  const before = client.stats();
  emit(client, 300);
  const { emitted, queued, reasons } = balanced(client);
  assert.equal(queued, 500);
  assert.equal(reasons.circuit_open, before.reasons.circuit_open + 300);
  await server.start();
  await until(async () => (await server.added()) === 501);
  const entries = await server.entries();
  assert.equal(JSON.parse(entries[499].data).index, 499);
  assert.deepEqual(JSON.parse(entries[500].data).reasons, reasons);
  assert.equal(balanced(client).emitted, emitted + 1);
});

test('a burst larger than the queue counts as queue_full', async (t) => {
  const server = await RedisServer.start(t);
  const client = connected(t, server, { maxQueueEvents: 100 });
  emit(client, 250);
  assert.deepEqual(balanced(client).reasons, { queue_full: 150 });
  assert.ok(await client.flush(PATIENCE_MS));
  const bytes = connected(t, server, { maxQueueBytes: 50_000 });
  emit(bytes, 100, { text: 'x'.repeat(1_000) });
  const { queued, dropped } = balanced(bytes);
  assert.ok(queued > 30 && queued < 50 && queued + dropped === 100);
});

test('a frozen server costs the batch under way and nothing else', async (t) => {
  const server = await RedisServer.start(t);
  const client = connected(t, server, quick);
  await freezeUnderWay(client, server);
  emit(client, 300);
  assert.equal(await client.flush(100), false);
  assert.equal(balanced(client).queued, 300);
  server.thaw();
  await until(() => client.stats().queued === 0);
  const { sent, dropped } = balanced(client);
  assert.deepEqual([sent, dropped], [306, 20]);
  // The frozen server had the twenty in its buffers, and may have stored them after all.
  assert.ok([306, 326].includes(await server.added()));
});

test('a connection cut in between is made anew', async (t) => {
  const server = await RedisServer.start(t);
  const client = connected(t, server);
  for (let round = 0; round < 5; round += 1) {
    emit(client, 100);
    assert.ok(await client.flush(PATIENCE_MS));
    await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  }
  assert.equal(balanced(client).sent, 500);
  assert.equal(await server.added(), 500);
});

test('out of memory: events wait, and arrive once there is room', async (t) => {
  const server = await RedisServer.start(t, ['--maxmemory-policy', 'noeviction']);
  const { told, onProblem } = problems();
  const client = connected(t, server, { onProblem });
  await server.command('CONFIG', 'SET', 'maxmemory', '1');
  emit(client, 200);
  await until(() => told.length > 0);
  assert.equal(balanced(client).queued, 200);
  await server.command('CONFIG', 'SET', 'maxmemory', '0');
  await until(() => client.stats().queued === 0);
  assert.equal(balanced(client).sent, 200);
  assert.equal(await server.added(), 200);
});

test('a user without permission: refused, counted, told once', async (t) => {
  const server = await RedisServer.start(t);
  await server.command('ACL', 'SETUSER', 'app', 'on', '>pw', '~*', '+ping');
  const { told, onProblem } = problems();
  const client = connected(t, server, { url: `redis://app:pw@127.0.0.1:${server.port}`, onProblem });
  for (const refused of [10, 20, 30]) {
    emit(client, 10);
    assert.equal(await client.flush(PATIENCE_MS), false);
    assert.equal(balanced(client).reasons.refused, refused);
  }
  assert.equal(told.length, 1);
  assert.match(told[0], /NOPERM/);
});

test('a user who may add events and nothing else is enough', async (t) => {
  const server = await RedisServer.start(t);
  await server.command('ACL', 'SETUSER', 'app', 'on', '>p@ss', '~emp:events', '+xadd');
  const client = connected(t, server, { url: `redis://app:p%40ss@127.0.0.1:${server.port}` });
  emit(client, 10);
  assert.ok(await client.flush(PATIENCE_MS));
  assert.equal(await server.added(), 10);
});

test('a wrong password keeps the events queued', async (t) => {
  const server = await RedisServer.start(t, ['--requirepass', 'right']);
  const client = connected(t, server, { url: `redis://:wrong@127.0.0.1:${server.port}` });
  emit(client, 10);
  assert.equal(await client.flush(300), false);
  assert.equal(balanced(client).queued, 10);
});

test('a key of another type: refused', async (t) => {
  const server = await RedisServer.start(t);
  await server.command('SET', 'emp:events', 'text');
  const client = connected(t, server);
  emit(client, 10);
  assert.equal(await client.flush(PATIENCE_MS), false);
  assert.deepEqual(balanced(client).reasons, { refused: 10 });
});

test('a replica refuses, and takes the events once it is promoted', async (t) => {
  const main = await RedisServer.start(t, ['--repl-diskless-sync-delay', '0']);
  const replica = await RedisServer.start(t, ['--replicaof', '127.0.0.1', String(main.port)]);
  await until(async () => (await replica.command('INFO', 'replication')).includes('master_link_status:up'));
  const { told, onProblem } = problems();
  const client = connected(t, replica, { onProblem });
  emit(client, 50);
  await until(() => told.length > 0);
  assert.equal(balanced(client).queued, 50);
  await replica.command('REPLICAOF', 'NO', 'ONE');
  await until(() => client.stats().queued === 0);
  assert.equal(await replica.added(), 50);
});

test('an address that is none, or leads to something else, is harmless', async (t) => {
  const { createServer } = await import('node:http');
  const http = createServer((_, response) => response.end('hello')).listen(0);
  t.after(() => http.close());
  for (const url of ['nonsense', `redis://127.0.0.1:${http.address().port}`, 'redis://no-such-host.invalid']) {
    const { told, onProblem } = problems();
    const client = new EventClient('x', { ...patient, url, onProblem });
    emit(client, 5);
    await until(() => told.length === 1);
    assert.equal(await client.close(50), false);
    assert.deepEqual(balanced(client).reasons, { closed: 5 });
  }
});

test('a function of the application that fails when told is ignored', async () => {
  let calls = 0;
  const onProblem = () => {
    calls += 1;
    throw new Error('mine');
  };
  const client = new EventClient('x', { ...patient, url: 'nonsense', onProblem });
  emit(client, 1);
  await until(() => calls === 1);
  assert.equal(await client.close(50), false);
});

test('through restarts, freezes and refusals the counts add up at every moment', async (t) => {
  const server = await RedisServer.start(t);
  const client = connected(t, server, { ...quick, answerTimeoutMs: 400, maxQueueEvents: 3_000 });
  const more = (count) => {
    const { emitted } = client.stats();
    return until(() => client.stats().emitted >= emitted + count);
  };
  const faults = [
    async () => { await server.stop(); await more(800); await server.start(); },
    async () => { server.freeze(); await more(4_000); server.thaw(); },
    async () => { await server.command('CONFIG', 'SET', 'maxmemory', '1'); await more(800); await server.command('CONFIG', 'SET', 'maxmemory', '0'); },
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
    await more(400);
  }
  ended = true;
  await load;
  await until(() => client.stats().queued === 0);
  const { emitted, sent, dropped } = balanced(client);
  assert.equal(emitted, sent + dropped);
  assert.ok(sent > 0);
});
