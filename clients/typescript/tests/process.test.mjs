import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { PATIENT, here, run } from './processes.mjs';
import { PATIENCE_MS, RedisServer, freePort } from './redis.mjs';

/** An event of a client that waits for its server, and of one as it comes. */
const EMIT = `
  import { EventClient } from '@emp/events';
  const client = new EventClient('api-server', ${PATIENT});
  client.event('server.ready', { n: 1 });`;
const EMIT_BY_DEFAULT = `import { apiTelemetry } from '@emp/events'; apiTelemetry.event('server.ready', { n: 1 });`;
const STAY = `setInterval(() => {}, 1000); console.log('ready');`;

test('a process that has nothing more to do sends its events and ends', async (t) => {
  const server = await RedisServer.start(t);
  const { code, stderr } = await run(EMIT, { url: server.url });
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal(await server.added(), 1);
});

test('with Redis away, it ends all the same, quietly', async () => {
  const { code, stderr } = await run(EMIT_BY_DEFAULT, { url: `redis://127.0.0.1:${await freePort()}` });
  assert.deepEqual([code, stderr], [0, '']);
});

test('a password that the server does not ask for is no matter, and no line in the log', async (t) => {
  const server = await RedisServer.start(t);
  const { code, stderr, stdout } = await run(EMIT, { url: `redis://:secret@127.0.0.1:${server.port}` });
  assert.deepEqual([code, stderr, stdout], [0, '', '']);
  assert.equal(await server.added(), 1);
});

for (const scheme of ['redis://', 'redis://:secret@', 'rediss://', 'redis+sentinel://', 'redis+cluster://']) {
  test(`with Redis frozen, it ends all the same: ${scheme}`, async (t) => {
    const server = await RedisServer.start(t);
    server.freeze();
    const { code, stderr } = await run(EMIT_BY_DEFAULT, { url: `${scheme}127.0.0.1:${server.port}` });
    assert.deepEqual([code, stderr], [0, '']);
  });
}

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal}: without handlers the process ends by it, as ever`, async (t) => {
    const server = await RedisServer.start(t);
    const { by } = await run(`${EMIT} ${STAY}`, { url: server.url, signal });
    assert.equal(by, signal);
  });

  for (const method of ['on', 'once']) {
    test(`${signal}: a handler of the application set with ${method} decides, and events are sent`, async (t) => {
      const server = await RedisServer.start(t);
      const script = `${EMIT}
        process.${method}('${signal}', () => {
          client.event('server.shutting_down', { reason: '${signal}' });
          setInterval(() => client.stats().queued === 0 && process.exit(7), 5);
        });
        ${STAY}`;
      const { code } = await run(script, { url: server.url, signal });
      assert.equal(code, 7);
      assert.deepEqual((await server.entries()).map(({ eventType }) => eventType), ['server.ready', 'server.shutting_down']);
    });
  }

  test(`${signal}: told to handle it, the client sends and then lets it end the process`, async (t) => {
    const server = await RedisServer.start(t);
    const script = `import { EventClient } from '@emp/events';
      const client = new EventClient('x', { ...${PATIENT}, handleSignals: true });
      client.event('a.b');
      await client.flush(${PATIENCE_MS});
      ${STAY}
      client.event('a.c');`;
    const { by } = await run(script, { url: server.url, signal });
    assert.equal(by, signal);
    assert.equal(await server.added(), 2);
  });
}

test('a handler set with once that sends the signal again ends the process', async (t) => {
  const server = await RedisServer.start(t);
  const script = `${EMIT}
    process.once('SIGTERM', () => { process.kill(process.pid, 'SIGTERM'); setTimeout(() => process.exit(9), 50_000); });
    ${STAY}`;
  const { by } = await run(script, { url: server.url, signal: 'SIGTERM' });
  assert.equal(by, 'SIGTERM', 'the second signal meets no handler, and ends the process');
});

test('a client in use does not keep the process alive', async (t) => {
  const server = await RedisServer.start(t);
  const script = `${EMIT} setTimeout(() => client.event('server.idle'), 100);`;
  const { code } = await run(script, { url: server.url });
  assert.equal(code, 0);
  assert.equal(await server.added(), 2);
});

test('what a client may never need is not loaded with it', async (t) => {
  const server = await RedisServer.start(t);
  const script = `
    import { createRequire } from 'node:module';
    import { EventClient } from '@emp/events';
    const client = new EventClient('x', ${PATIENT});
    const loaded = () => Object.keys(createRequire(process.cwd() + '/x').cache).some((name) => name.includes('@redis/client'));
    const before = loaded();
    client.event('a.b');
    await client.flush(${PATIENCE_MS});
    console.log(before, loaded());`;
  const { stdout } = await run(script, { url: server.url });
  assert.equal(stdout, 'false true\n');
});

test('nor is it where events are switched off, or where a connection is lent', async (t) => {
  const server = await RedisServer.start(t);
  const script = (lent) => `
    import { createRequire } from 'node:module';
    import { EventClient } from '@emp/events';
    ${lent ? "import Redis from 'ioredis'; const redis = new Redis(process.env.REDIS_URL);" : ''}
    const client = new EventClient('x', { ...${PATIENT}${lent ? ', redis' : ''} });
    client.event('a.b');
    await client.flush(${PATIENCE_MS});
    ${lent ? `await client.close(${PATIENCE_MS}); redis.disconnect();` : ''}
    const loaded = Object.keys(createRequire(process.cwd() + '/x').cache);
    console.log(loaded.filter((name) => name.includes('@redis')).length);`;
  const off = await run(script(false), { url: server.url, env: { TELEMETRY_ENABLED: 'false' } });
  assert.deepEqual([off.code, off.stdout, await server.added()], [0, '0\n', 0]);
  const lent = await run(script(true), { url: server.url });
  assert.deepEqual([lent.code, lent.stdout, await server.added()], [0, '0\n', 1]);
});

test('CommonJS can require it, and shares traces with the ES module', async (t) => {
  const server = await RedisServer.start(t);
  const script = `
    const events = require('@emp/events');
    import('@emp/events').then((other) => {
      const client = new events.EventClient('worker', ${PATIENT});
      other.runWithTrace('shared', () => client.workerEvent('w1', 'worker.ready'));
    });`;
  const { code, stderr } = await run(script, { url: server.url, commonJs: true });
  assert.deepEqual([code, stderr], [0, '']);
  const [entry] = await server.entries();
  assert.deepEqual([entry.workerId, entry.traceId], ['w1', 'shared']);
});

test('both builds in one process leave a signal to the system once the application does', async (t) => {
  const server = await RedisServer.start(t);
  const script = `
    const own = () => {};
    const events = require('@emp/events');
    new events.EventClient('x', ${PATIENT}).event('a.b');
    process.on('SIGTERM', own);
    import('@emp/events').then(async (other) => {
      const client = new other.EventClient('x', ${PATIENT});
      client.event('a.b');
      await client.flush(${PATIENCE_MS});
      process.removeListener('SIGTERM', own);
      setImmediate(() => console.log('ready'));
      setInterval(() => {}, 1000);
    });`;
  const { by } = await run(script, { url: server.url, signal: 'SIGTERM', commonJs: true });
  assert.equal(by, 'SIGTERM');
});

test('worker threads and the processes of a cluster each send their own', async (t) => {
  const server = await RedisServer.start(t);
  const script = `
    import cluster from 'node:cluster';
    import { Worker } from 'node:worker_threads';
    ${EMIT}
    const file = ${JSON.stringify(join(here, 'emit_once.mjs'))};
    cluster.setupPrimary({ exec: file, execArgv: [] });
    cluster.fork();
    cluster.fork();
    new Worker(file, { execArgv: [] });`;
  const { code, stderr } = await run(script, { url: server.url });
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal(await server.added(), 4);
});
