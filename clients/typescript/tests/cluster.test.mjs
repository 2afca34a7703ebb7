import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventClient } from '@emp/events';
import {
  PATIENCE_MS, RedisServer, balanced, certificates, emit, freePort, freezeUnderWay, patient, quick, temporaryFolder, tlsSettings, until,
} from './redis.mjs';

const SLOTS = 16_384;

/**
 * Two nodes: `holder` with the stream's slot, `other` with the slots that come after, or none. The
 * user `app` may add events and nothing else.
 */
async function cluster(t, { bothHaveSlots = true } = {}) {
  const settings = ['--cluster-enabled', 'yes', '--cluster-require-full-coverage', 'no'];
  const holder = await RedisServer.start(t, settings);
  const other = await RedisServer.start(t, settings);
  const slot = await holder.command('CLUSTER', 'KEYSLOT', 'emp:events');
  await holder.command('CLUSTER', 'ADDSLOTSRANGE', '0', String(slot));
  const rest = bothHaveSlots ? other : holder;
  await rest.command('CLUSTER', 'ADDSLOTSRANGE', String(slot + 1), String(SLOTS - 1));
  await holder.command('CLUSTER', 'MEET', '127.0.0.1', String(other.port));
  for (const node of [holder, other]) {
    await node.command('ACL', 'SETUSER', 'app', 'on', '>pw', '~emp:events', '+xadd');
    await until(async () => {
      const slots = await node.command('CLUSTER', 'SLOTS');
      return slots.length === (bothHaveSlots ? 2 : 1) && (await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok');
    });
  }
  const url = `redis+cluster://app:pw@127.0.0.1:${other.port},127.0.0.1:${holder.port}`;
  return { holder, other, slot: String(slot), url };
}

/** Begins to move the stream's slot from one node to the other. Resolves with what ends it. */
async function moveSlot({ holder, other, slot }) {
  const ids = { holder: await holder.command('CLUSTER', 'MYID'), other: await other.command('CLUSTER', 'MYID') };
  await other.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids.holder);
  await holder.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids.other);
  return async () => {
    for (const node of [other, holder]) {
      await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', ids.other);
    }
  };
}

function moveStream({ holder, other }) {
  return holder.command('MIGRATE', '127.0.0.1', String(other.port), 'emp:events', '0', '1000');
}

function connected(t, url, options = {}) {
  const client = new EventClient('x', { ...patient, url, ...options });
  t.after(() => client.close(50));
  return client;
}

test('events go to the node that holds the stream, by a user who may do nothing else', async (t) => {
  const { holder, url } = await cluster(t);
  const client = connected(t, url);
  emit(client, 1_200);
  assert.ok(await client.flush(PATIENCE_MS));
  assert.equal(await holder.added(), 1_200);
  assert.equal(balanced(client).sent, 1_200);
});

for (const bothHaveSlots of [true, false]) {
  test(`a stream that moves to ${bothHaveSlots ? 'another' : 'a new'} node is followed, while it moves and after`, async (t) => {
    const nodes = await cluster(t, { bothHaveSlots });
    for (const node of [nodes.holder, nodes.other]) {
      await node.command('ACL', 'SETUSER', 'app', '+asking');
    }
    const client = connected(t, nodes.url);
    emit(client, 10);
    assert.ok(await client.flush(PATIENCE_MS));
    const endMove = await moveSlot(nodes);
    emit(client, 20);
    assert.ok(await client.flush(PATIENCE_MS));
    assert.equal(await nodes.holder.added(), 30);
    await moveStream(nodes);
    emit(client, 700);
    assert.ok(await client.flush(PATIENCE_MS), 'ASK is followed');
    await endMove();
    emit(client, 600);
    assert.ok(await client.flush(PATIENCE_MS), 'MOVED is followed');
    const entries = await nodes.other.entries();
    assert.equal(await nodes.other.added(), 1_330);
    assert.deepEqual(entries.slice(-600).map(({ data }) => JSON.parse(data).index), Array.from({ length: 600 }, (_, index) => index));
    assert.deepEqual([balanced(client).sent, client.stats().dropped], [1_330, 0]);
  });
}

test('a user who may not ask for a stream that is being moved waits until it has', async (t) => {
  const nodes = await cluster(t);
  const client = connected(t, nodes.url);
  emit(client, 10);
  assert.ok(await client.flush(PATIENCE_MS));
  const endMove = await moveSlot(nodes);
  await moveStream(nodes);
  emit(client, 20);
  assert.equal(await client.flush(500), false);
  assert.equal(balanced(client).queued, 20);
  await endMove();
  assert.ok(await client.flush(PATIENCE_MS));
  assert.equal(await nodes.other.added(), 30);
});

test('a node that freezes costs the batch under way, one that stops costs nothing', async (t) => {
  const { holder, url } = await cluster(t);
  const client = connected(t, url, quick);
  await freezeUnderWay(client, holder);
  emit(client, 30);
  assert.equal(await client.flush(700), false);
  assert.equal(balanced(client).queued, 30);
  holder.thaw();
  await until(() => client.stats().queued === 0);
  assert.deepEqual(balanced(client).reasons, { unanswered: 20 });
  await holder.stop();
  emit(client, 40);
  assert.equal(await client.flush(700), false);
  assert.equal(balanced(client).queued, 40);
});

test('without a node for the stream the events wait until there is one', async (t) => {
  const server = await RedisServer.start(t, ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']);
  const client = connected(t, `redis+cluster://127.0.0.1:${server.port}`);
  emit(client, 10);
  assert.equal(await client.flush(1_500), false);
  assert.equal(balanced(client).queued, 10);
  await server.command('CLUSTER', 'ADDSLOTSRANGE', '0', String(SLOTS - 1));
  await until(() => client.stats().queued === 0);
  assert.equal(await server.added(), 10);
});

test('a frozen node among those of the address delays nothing', async (t) => {
  const { other, holder, url } = await cluster(t);
  other.freeze();
  const client = connected(t, url);
  emit(client, 10);
  assert.ok(await client.flush(PATIENCE_MS));
  assert.equal(await holder.added(), 10);
});

test('the spool goes by the memory of the node that holds the stream', async (t) => {
  const { holder, other, url } = await cluster(t);
  await other.command('CONFIG', 'SET', 'maxmemory', '1');
  for (let round = 0; round < 10; round += 1) {
    const client = connected(t, url, { spoolDir: temporaryFolder(t) });
    for (const count of [1, 2]) {
      emit(client, count);
      assert.ok(await client.flush(PATIENCE_MS));
    }
    await client.close();
  }
  assert.equal(await holder.added(), 30);
  // The user may not, and Redis remembers that it tried.
  const asked = async (node) => (await node.command('ACL', 'LOG')).some((entry) => entry.includes('info'));
  assert.deepEqual([await asked(holder), await asked(other)], [true, false]);
});

test('over TLS', async (t) => {
  const { file, path } = certificates(t);
  const port = await freePort();
  const server = await RedisServer.start(t, [
    '--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--tls-cluster', 'yes', ...tlsSettings(port, path),
  ]);
  await server.command('CLUSTER', 'ADDSLOTSRANGE', '0', String(SLOTS - 1));
  await until(async () => (await server.command('CLUSTER', 'INFO')).includes('cluster_state:ok'));
  const client = connected(t, `rediss+cluster://localhost:${port}`, { tls: { ca: file('ca.crt') } });
  emit(client, 10);
  assert.ok(await client.flush(PATIENCE_MS));
  assert.equal(await server.added(), 10);
});
