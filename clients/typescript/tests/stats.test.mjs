import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as later } from 'node:timers/promises';
import { EventClient } from '@emp/events';
import { PATIENCE_MS, RedisServer, balanced, patient } from './redis.mjs';

const fields = JSON.parse(readFileSync(new URL('../../../tests/wire/stats.json', import.meta.url), 'utf8'));

/** The data of each `telemetry.stats` that has arrived. */
async function told(server) {
  const own = (await server.entries()).filter(({ eventType }) => eventType === 'telemetry.stats');
  assert.ok(own.every(({ level, jobId }) => level === 'info' && jobId === undefined));
  return own.map(({ data }) => JSON.parse(data));
}

async function until(server, count) {
  const begun = performance.now();
  for (;;) {
    const all = await told(server);
    if (all.length >= count) return all;
    assert.ok(performance.now() - begun < PATIENCE_MS);
    await later(10);
  }
}

test('a client tells once in a while what became of events, and is silent where it was', async (t) => {
  const server = await RedisServer.start(t);
  const client = new EventClient('api-server', { url: server.url, ...patient, statsEveryMs: 200 });
  t.after(() => client.close(50));
  for (let number = 0; number < 100; number++) client.event('a.b', { number });
  const [first] = await until(server, 1);
  for (const name of fields.always) assert.ok(name in first, name);
  for (const name of Object.keys(first)) assert.ok([...fields.always, ...fields.where_known].includes(name), name);
  assert.deepEqual([first.emitted, first.dropped], [100, 0]);
  assert.ok(first.callP50Us <= first.callP99Us);
  assert.ok(first.rssBytes > 1_000_000 && first.eventLoopDelayP99Ms >= 0);
  // With nothing emitted there is nothing to tell, however long that lasts: another client's events pass the time.
  const other = new EventClient('worker', { url: server.url, ...patient, statsEveryMs: 200 });
  t.after(() => other.close(50));
  other.event('a.b');
  await until(server, 2);
  for (let number = 0; number < 7; number++) client.event('a.b', { number });
  const all = await until(server, 3);
  assert.equal(all[2].emitted, 7);
  assert.ok(await client.flush(PATIENCE_MS));
  balanced(client);
});

test('a client tells nothing where that is switched off, or below the level', async (t) => {
  const server = await RedisServer.start(t);
  process.env.EMP_EVENTS_STATS = 'off';
  t.after(() => delete process.env.EMP_EVENTS_STATS);
  const off = new EventClient('a', { url: server.url, ...patient });
  const above = new EventClient('b', { url: server.url, ...patient, statsEveryMs: 1, level: 'warn' });
  t.after(() => Promise.all([off.close(50), above.close(50)]));
  for (let number = 0; number < 20; number++) {
    off.event('a.b');
    above.event('a.b', {}, { level: 'error' });
    assert.ok(await off.flush(PATIENCE_MS) && await above.flush(PATIENCE_MS));
  }
  assert.equal((await server.entries()).length, 40);
});
