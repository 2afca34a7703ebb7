import assert from 'node:assert/strict';
import {
  appendFileSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { EventClient } from '@emp/events';
import { Spool } from '../build/spool.js';
import { SpoolFile } from '../build/spool_file.js';
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
    while (client.stats().queued < 16_000) {
      emit(client, 100);
    }
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

test('files are turned over by size', async (t) => {
  const { client, folder } = await spooling(t, undefined, { maxSpoolFileBytes: 300_000 });
  emit(client, 6_000, { text: 'x'.repeat(100) });
  await client.close(50);
  const files = spooled(folder);
  assert.equal(files.flat().length, 6_000);
  const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
  assert.ok(sizes.every((size) => size < 350_000), String(sizes));
  assert.ok(files.length > 4);
});

test('a folder holds so many bytes, whoever wrote them, and takes more once files are taken away', async (t) => {
  const folder = temporaryFolder(t);
  const bytesMax = 1_000_000;
  const crash = async () => {
    const client = new EventClient('worker/1', { ...patient, url: 'redis://127.0.0.1:1', spoolDir: folder, maxSpoolBytes: bytesMax });
    emit(client, 500);
    await client.close(0);
    return balanced(client);
  };
  const held = () => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  const outcomes = [];
  for (let restarts = 0; restarts < 12; restarts += 1) {
    outcomes.push(await crash());
  }
  assert.ok(outcomes[0].spooled === 500 && outcomes.at(-1).reasons.spool_full === 500);
  assert.ok(held() <= bytesMax, `${held()} bytes`);
  const [imported] = readdirSync(folder);
  rmSync(join(folder, imported));
  assert.equal((await crash()).spooled, 500);
  assert.ok(held() <= bytesMax);
});

test('small files are few: each counts as 64 KiB', async (t) => {
  const { client, folder } = await spooling(t, undefined, { maxSpoolBytes: 200_000 });
  mkdirSync(folder, { recursive: true });
  for (const n of [1, 2, 3]) {
    writeFileSync(join(folder, `emp-events-other-7-000000000000000${n}.ndjson`), '');
  }
  writeFileSync(join(folder, 'something-else.ndjson'), 'x'.repeat(1_000_000));
  emit(client, 10);
  await client.close(0);
  assert.deepEqual(balanced(client).reasons, { spool_full: 10 });
});

test('nobody but the service itself reads what it spooled', async (t) => {
  const { client, folder } = await spooling(t, undefined);
  emit(client, 10);
  await client.close(0);
  const [name] = readdirSync(folder);
  const modes = [folder, join(folder, name)].map((path) => statSync(path).mode & 0o777);
  assert.deepEqual(modes, [0o700, 0o600]);
});

/** What may become of a file while its client is still at work. */
const MEANWHILE = {
  'taken away': (path) => rmSync(path),
  emptied: (path) => truncateSync(path),
  'not written for long': (path) => utimesSync(path, 0, 0),
};

for (const [name, change] of Object.entries(MEANWHILE)) {
  test(`a file that was ${name} is written no more`, async (t) => {
    const server = await RedisServer.start(t, ['--maxmemory-policy', 'noeviction']);
    await server.command('CONFIG', 'SET', 'maxmemory', '1');
    const { client, folder } = await spooling(t, server);
    emit(client, 10);
    await until(() => client.stats().spooled === 10);
    const [first] = readdirSync(folder);
    change(join(folder, first));
    emit(client, 20);
    await until(() => client.stats().spooled === 30);
    const [second] = readdirSync(folder).filter((file) => file !== first);
    assert.equal(readFileSync(join(folder, second), 'utf8').trimEnd().split('\n').length, 20);
    balanced(client);
  });
}

test('a folder that cannot be written costs the events and nothing else', async (t) => {
  const file = join(temporaryFolder(t), 'file');
  writeFileSync(file, '');
  const { client } = await spooling(t, undefined, { spoolDir: join(file, 'below') });
  emit(client, 10);
  await client.close(50);
  assert.deepEqual(balanced(client).reasons, { spool_failed: 10 });
});

test('a disk that is full fails the events, leaves no half lines, and is written again once it can be', async (t) => {
  const folder = temporaryFolder(t);
  const spool = new Spool({ folder, fileBytesMax: 1_000_000, bytesMax: 1_000_000 }, 'x', (outcome) => outcomes.push(outcome));
  const outcomes = [];
  const event = { timestamp: 1, type: 'a.b', level: 'info', data: '{}', bytes: 200 };
  await spool.write([event]);
  const write = t.mock.method(SpoolFile.prototype, 'write', async function half(text) {
    appendFileSync(join(folder, readdirSync(folder)[0]), text.subarray(0, 20));
    throw new Error('ENOSPC');
  });
  await spool.write([event]);
  write.mock.restore();
  await spool.write([event]);
  await spool.close();
  assert.deepEqual(outcomes, ['spooled', 'spool_failed', 'spooled']);
  const [name] = readdirSync(folder);
  const lines = readFileSync(join(folder, name), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line).uid);
  assert.deepEqual(lines.map((uid) => uid.split(':')[1]), ['1', '3'], 'a number is never given out twice');
});
