import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import Redis from 'ioredis';
import { EventClient } from '@emp/events';
import { PATIENCE_MS, RedisServer, balanced, certificates, emit, freePort, patient, temporaryFolder, tlsSettings, until } from './redis.mjs';

/** Starts a sentinel that ends with the test, and knows `main` to be at a port. */
async function sentinel(t, mainPort, { password, settings = [] } = {}) {
  const port = await freePort();
  const folder = temporaryFolder(t);
  const file = join(folder, 'sentinel.conf');
  const locked = password ? `requirepass ${password}\n` : '';
  writeFileSync(file, `port ${port}\nbind 127.0.0.1 -::1\nsentinel monitor main 127.0.0.1 ${mainPort} 1\n${locked}`);
  const process = spawn('redis-server', [file, '--sentinel', ...settings], { stdio: 'ignore', cwd: folder });
  t.after(async () => {
    const ended = once(process, 'exit');
    process.kill('SIGKILL');
    await ended;
  });
  const admin = new Redis({ port, password, retryStrategy: () => 20, enableReadyCheck: false });
  t.after(() => admin.disconnect());
  admin.on('error', () => {});
  await until(() => admin.ping());
  return { port, admin };
}

test('sentinels name the server, also after a failover', async (t) => {
  const first = await RedisServer.start(t);
  const second = await RedisServer.start(t);
  const { port, admin } = await sentinel(t, first.port);
  const client = new EventClient('x', { ...patient, url: `redis+sentinel://127.0.0.1:1,127.0.0.1:${port}/main` });
  emit(client, 5);
  assert.ok(await client.flush(PATIENCE_MS));
  assert.equal(await first.added(), 5);
  await first.stop();
  await admin.call('SENTINEL', 'REMOVE', 'main');
  await admin.call('SENTINEL', 'MONITOR', 'main', '127.0.0.1', String(second.port), '1');
  emit(client, 7);
  assert.ok(await client.flush(PATIENCE_MS));
  assert.equal(await second.added(), 7);
  await client.close();
});

test('a sentinel that does not answer delays nothing', async (t) => {
  const server = await RedisServer.start(t);
  const { port } = await sentinel(t, server.port);
  const mute = createServer((socket) => {
    socket.resume();
    t.after(() => socket.destroy());
  }).listen(0);
  t.after(() => mute.close());
  const url = `redis+sentinel://127.0.0.1:${mute.address().port},127.0.0.1:${port}/main`;
  const client = new EventClient('x', { ...patient, url });
  emit(client, 5);
  assert.ok(await client.flush(PATIENCE_MS));
  assert.equal(await server.added(), 5);
  await client.close();
});

test('the login is for the server, and for sentinels that want one', async (t) => {
  const server = await RedisServer.start(t);
  await server.command('ACL', 'SETUSER', 'app', 'on', '>pw', '~emp:events', '+xadd');
  const open = await sentinel(t, server.port);
  const locked = await sentinel(t, server.port, { password: 'right' });
  await locked.admin.call('ACL', 'SETUSER', 'app', 'on', '>pw', 'allchannels', '+sentinel');
  for (const { port } of [open, locked]) {
    const told = [];
    const url = `redis+sentinel://app:pw@127.0.0.1:${port}/main`;
    const client = new EventClient('x', { ...patient, url, onProblem: (message) => told.push(message) });
    emit(client, 5);
    assert.ok(await client.close(PATIENCE_MS));
    assert.deepEqual(told, []);
  }
  assert.equal(await server.added(), 10);
});

test('sentinels that know no such server keep the events queued, and it is told', async (t) => {
  const server = await RedisServer.start(t);
  const { port } = await sentinel(t, server.port);
  const told = [];
  const url = `redis+sentinel://127.0.0.1:${port}/other`;
  const client = new EventClient('x', { ...patient, url, onProblem: (message) => told.push(message) });
  emit(client, 5);
  await until(() => told.length > 0);
  assert.equal(balanced(client).queued, 5);
  assert.match(told[0], new RegExp(`sentinel 127.0.0.1:${port}`));
  await client.close(50);
});

test('over TLS', async (t) => {
  const { file, path } = certificates(t);
  const ports = [await freePort(), await freePort()];
  const server = await RedisServer.start(t, tlsSettings(ports[0], path));
  await sentinel(t, ports[0], { settings: tlsSettings(ports[1], path) });
  const url = `rediss+sentinel://localhost:${ports[1]}/main/2`;
  const client = new EventClient('x', { ...patient, url, tls: { ca: file('ca.crt') } });
  emit(client, 5);
  assert.ok(await client.close(PATIENCE_MS));
  await server.command('SELECT', '2');
  assert.equal(await server.added(), 5);
});
