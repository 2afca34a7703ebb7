import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { EventClient } from '@emp/events';
import { PATIENCE_MS, RedisServer, patient } from './redis.mjs';

const vectors = JSON.parse(readFileSync(new URL('../../../tests/wire/vectors.json', import.meta.url), 'utf8'));

test('every vector is written as the contract says', async (t) => {
  const server = await RedisServer.start(t);
  assert.ok(vectors.length >= 20);
  for (const { name, input, fields } of vectors) {
    await t.test(name, async () => {
      await server.command('DEL', 'emp:events');
      const client = new EventClient(input.service, { url: server.url, ...patient, ...input.options });
      const context = { ...input.ids, timestamp: input.timestamp, level: input.level };
      client.event(input.type, input.data, context);
      assert.ok(await client.close(PATIENCE_MS));
      const [[, written]] = await server.command('XRANGE', 'emp:events', '-', '+');
      assert.deepEqual(written, fields.flat());
    });
  }
});
