import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { EventClient } from '@emp/events';
import { PATIENCE_MS, RedisServer, balanced, freePort, patient, temporaryFolder, until } from './redis.mjs';

function emit(client, count, data = {}) {
  for (let index = 0; index < count; index += 1) {
    client.jobEvent(`job_${index}`, 'spool.tried', { index, ...data });
  }
}

/** The files of a spool, each with its lines. Checks what the importer relies on. */
function spooled(folder) {
  return readdirSync(folder).map((name) => {
    const [, service, pid, id] = /^emp-events-(.+)-(\d+)-([0-9a-f]{16})\.ndjson$/.exec(name);
    assert.equal(service, 'worker_1');
    assert.equal(Number(pid), process.pid);
    const lines = readFileSync(join(folder, name), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
    lines.forEach((line, index) => {
      assert.equal(line.uid, `${id}:${index + 1}`);
      assert.ok(index === 0 || line.spooledAt >= lines[index - 1].spooledAt);
    });
    return lines;
  });
}

async function spooling(t, server, options = {}) {
  const folder = join(temporaryFolder(t), 'made', 'here');
  const url = server?.url ?? `redis://127.0.0.1:${await freePort()}`;
  const client = new EventClient('worker/1', { url, ...patient, spoolDir: folder, ...options });
  t.after(() => client.close(50));
  return { client, folder };
}

test('with Redis away, the spool takes what the queue cannot hold', async (t) => {
  const { client, folder } = await spooling(t, undefined, { maxQueueEvents: 20_000 });
  emit(client, 16_000);
  // Nothing goes there before the circuit is open.
  await until(() => {
    emit(client, 1);
    return client.stats().spooled > 0;
  });
  for (let round = 0; round < 3; round += 1) {
    await until(() => client.stats().queued < 12_000);
    emit(client, 8_000);
  }
  assert.equal(await client.close(50), false);
  const { emitted, spooled: count } = balanced(client);
  assert.equal(count, emitted);
  const lines = spooled(folder).flat();
  assert.equal(lines.length, emitted);
  const { uid, spooledAt, timestamp, ...rest } = lines[5];
  assert.ok(uid && spooledAt >= timestamp);
  assert.deepEqual(rest, {
    service: 'worker/1', eventType: 'spool.tried', jobId: 'job_5', level: 'info', data: { index: 5 },
  });
});

test('what Redis refuses for want of memory goes to the spool, and later events to Redis again', async (t) => {
  const server = await RedisServer.start(t, ['--maxmemory-policy', 'noeviction']);
  const { client, folder } = await spooling(t, server);
  emit(client, 10);
  assert.ok(await client.flush(PATIENCE_MS));
  await server.command('CONFIG', 'SET', 'maxmemory', '1');
  emit(client, 100);
  assert.equal(await client.flush(PATIENCE_MS), false);
  emit(client, 100);
  await until(() => client.stats().spooled === 200);
  assert.equal(balanced(client).dropped, 0);
  assert.equal(spooled(folder).flat().length, 200);
  assert.equal(await server.added(), 10);
});

test('with Redis nearly full, the spool is used before anything is refused', async (t) => {
  const server = await RedisServer.start(t, ['--maxmemory-policy', 'noeviction']);
  const used = Number(/used_memory:(\d+)/.exec(await server.command('INFO', 'memory'))[1]);
  await server.command('CONFIG', 'SET', 'maxmemory', String(Math.floor(used * 1.05)));
  const { client, folder } = await spooling(t, server);
  emit(client, 20);
  await until(() => client.stats().spooled === 20);
  assert.equal(spooled(folder).flat().length, 20);
  balanced(client);
});

test('files are turned over by size, and there are only so many', async (t) => {
  const { client, folder } = await spooling(t, undefined, { maxSpoolFileBytes: 300_000, maxSpoolFiles: 3 });
  emit(client, 6_000, { text: 'x'.repeat(100) });
  await client.close(50);
  const files = spooled(folder);
  assert.equal(files.length, 3);
  const { spooled: count, reasons } = balanced(client);
  assert.equal(files.flat().length, count);
  assert.equal(count + reasons.spool_full, 6_000);
});

test('a folder that cannot be written costs the events and nothing else', async (t) => {
  const file = join(temporaryFolder(t), 'file');
  writeFileSync(file, '');
  const { client } = await spooling(t, undefined, { spoolDir: join(file, 'below') });
  emit(client, 10);
  await client.close(50);
  assert.deepEqual(balanced(client).reasons, { spool_failed: 10 });
});
