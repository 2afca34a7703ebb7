import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { EventClient } from '@emp/events';
import { PATIENCE_MS, RedisServer, balanced, certificates, emit, patient, temporaryFolder } from './redis.mjs';

test('a database, a Unix socket', async (t) => {
  const path = join(temporaryFolder(t), 'redis.sock');
  const server = await RedisServer.start(t, ['--unixsocket', path]);
  for (const [url, count] of [[`${server.url}/3`, 5], [`unix://${path}`, 6]]) {
    const client = new EventClient('x', { ...patient, url });
    emit(client, count);
    assert.ok(await client.close(PATIENCE_MS));
  }
  assert.equal(await server.added(), 6);
  await server.command('SELECT', '3');
  assert.equal(await server.added(), 5);
});

test('a database that there is not keeps the events queued', async (t) => {
  const server = await RedisServer.start(t);
  const client = new EventClient('x', { ...patient, url: `${server.url}/99` });
  emit(client, 5);
  assert.equal(await client.flush(300), false);
  assert.equal(balanced(client).queued, 5);
  assert.equal(await server.added(), 0);
  await client.close(50);
});

test('TLS', async (t) => {
  const { file } = certificates(t);
  const server = await RedisServer.start(t);
  const names = [];
  const secure = createTlsServer({ key: file('server.key'), cert: file('server.crt') }, (socket) => {
    names.push(socket.servername);
    const plain = connect(server.port, '127.0.0.1');
    socket.on('error', () => plain.destroy());
    socket.pipe(plain).pipe(socket);
  }).listen(0);
  t.after(() => secure.close());
  const { port } = secure.address();
  for (const host of ['localhost', '127.0.0.1']) {
    const trusting = new EventClient('x', { ...patient, url: `rediss://${host}:${port}`, tls: { ca: file('ca.crt') } });
    emit(trusting, 5);
    assert.ok(await trusting.close(PATIENCE_MS));
  }
  assert.deepEqual(names, ['localhost', false]);
  assert.equal(await server.added(), 10);
  const wary = new EventClient('x', { ...patient, url: `rediss://localhost:${port}` });
  emit(wary, 5);
  assert.equal(await wary.close(300), false, 'an unknown certificate is not trusted');
  assert.equal(await server.added(), 10);
});
