import assert from 'node:assert/strict';
import { spawn, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import Redis from 'ioredis';
import { EventClient } from '@emp/events';
import { RedisServer, balanced, freePort, temporaryFolder, until } from './redis.mjs';

const quick = { connectTimeoutMs: 500, answerTimeoutMs: 500 };

function emit(client, count) {
  for (let index = 0; index < count; index += 1) {
    client.event('transport.used', { index });
  }
}

test('a database, a Unix socket', async (t) => {
  const path = join(temporaryFolder(t), 'redis.sock');
  const server = await RedisServer.start(t, ['--unixsocket', path]);
  for (const [url, count] of [[`${server.url}/3`, 5], [`unix://${path}`, 6]]) {
    const client = new EventClient('x', { ...quick, url });
    emit(client, count);
    assert.ok(await client.close());
  }
  assert.equal(await server.added(), 6);
  await server.command('SELECT', '3');
  assert.equal(await server.added(), 5);
});

test('TLS', async (t) => {
  const folder = temporaryFolder(t);
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(folder, name));
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert,
  ], { stdio: 'ignore' });
  const server = await RedisServer.start(t);
  const secure = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
    const plain = connect(server.port, '127.0.0.1');
    socket.on('error', () => plain.destroy());
    socket.pipe(plain).pipe(socket);
  }).listen(0);
  t.after(() => secure.close());
  const url = `rediss://localhost:${secure.address().port}`;
  const trusting = new EventClient('x', { ...quick, url, tls: { ca: readFileSync(cert) } });
  emit(trusting, 5);
  assert.ok(await trusting.close());
  assert.equal(await server.added(), 5);
  const wary = new EventClient('x', { ...quick, url });
  emit(wary, 5);
  assert.equal(await wary.close(300), false, 'an unknown certificate is not trusted');
  assert.equal(await server.added(), 5);
});

test('sentinels name the server, also after a failover', async (t) => {
  const first = await RedisServer.start(t);
  const second = await RedisServer.start(t);
  const port = await freePort();
  const folder = temporaryFolder(t);
  const settings = join(folder, 'sentinel.conf');
  writeFileSync(settings, `port ${port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 ${first.port} 1\n`);
  const sentinel = spawn('redis-server', [settings, '--sentinel'], { stdio: 'ignore', cwd: folder });
  t.after(async () => {
    const ended = once(sentinel, 'exit');
    sentinel.kill('SIGKILL');
    await ended;
  });
  const admin = new Redis({ port, retryStrategy: () => 20, enableReadyCheck: false });
  t.after(() => admin.disconnect());
  admin.on('error', () => {});
  await until(() => admin.ping());
  const client = new EventClient('x', { ...quick, url: `redis+sentinel://127.0.0.1:1,127.0.0.1:${port}/main` });
  emit(client, 5);
  assert.ok(await client.flush());
  assert.equal(await first.added(), 5);
  await first.stop();
  await admin.call('SENTINEL', 'REMOVE', 'main');
  await admin.call('SENTINEL', 'MONITOR', 'main', '127.0.0.1', String(second.port), '1');
  emit(client, 7);
  assert.ok(await client.flush());
  assert.equal(await second.added(), 7);
  await client.close();
});

test('in a cluster, events go to the node that holds the stream', async (t) => {
  const one = await RedisServer.start(t, ['--cluster-enabled', 'yes']);
  const two = await RedisServer.start(t, ['--cluster-enabled', 'yes']);
  const slot = await one.command('CLUSTER', 'KEYSLOT', 'emp:events');
  await two.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await one.command('CLUSTER', 'MEET', '127.0.0.1', String(two.port));
  await until(async () => (await one.command('CLUSTER', 'INFO')).includes('cluster_state:ok'));
  assert.ok(slot >= 0);
  const client = new EventClient('x', { ...quick, url: `redis+cluster://127.0.0.1:${one.port},127.0.0.1:${two.port}` });
  emit(client, 1_200);
  assert.ok(await client.flush());
  assert.equal(await two.added(), 1_200);
  assert.equal(balanced(client).sent, 1_200);
  await client.close();
});

test('the application’s ioredis is used, and left open', async (t) => {
  const server = await RedisServer.start(t);
  const redis = new Redis(server.port, { lazyConnect: true });
  t.after(() => redis.disconnect());
  const client = new EventClient('x', { ...quick, redis });
  emit(client, 700);
  assert.ok(await client.flush());
  await server.command('DEL', 'emp:events');
  await server.command('SET', 'emp:events', 'text');
  emit(client, 3);
  assert.equal(await client.flush(), false);
  const { sent, reasons } = balanced(client);
  assert.deepEqual([sent, reasons], [700, { refused: 3 }]);
  await client.close(50);
  assert.equal(await redis.ping(), 'PONG');
});

test('an ioredis that has lost its server keeps the events queued', async (t) => {
  const server = await RedisServer.start(t);
  const redis = new Redis(server.port, { retryStrategy: () => 20 });
  redis.on('error', () => {});
  t.after(() => redis.disconnect());
  const client = new EventClient('x', { ...quick, redis });
  emit(client, 5);
  assert.ok(await client.flush());
  await server.stop();
  await until(() => redis.status !== 'ready');
  emit(client, 50);
  assert.equal(await client.flush(200), false);
  await server.start();
  await until(() => client.stats().queued === 0);
  assert.equal(await server.added(), 50);
  assert.equal(balanced(client).dropped, 0);
  await client.close(50);
});

test('a node-redis client is used the same way', async () => {
  const commands = [];
  const redis = {
    isReady: true,
    async sendCommand(words) {
      commands.push(words);
      if (words.at(-1).includes('2')) {
        throw new Error('WRONGTYPE no stream');
      }
      return '1-1';
    },
  };
  const client = new EventClient('x', { redis });
  emit(client, 3);
  assert.equal(await client.close(), false);
  assert.deepEqual(commands[0].slice(0, 6), ['XADD', 'emp:events', 'MAXLEN', '~', '10000', '*']);
  assert.deepEqual([balanced(client).sent, client.stats().reasons], [2, { refused: 1 }]);
});
