import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { EventClient } from '@emp/events';
import Redis from 'ioredis';
import { PATIENCE_MS, RedisServer, balanced, emit, patient, until } from './redis.mjs';

const ANSWER_MS = 30;

/**
 * Each turn of the event loop takes until the server has answered, and longer than an answer may: every time limit is
 * over before anything is read.
 */
function keepWaiting(server) {
  let isOver = false;
  const hold = new Int32Array(new SharedArrayBuffer(4));
  const turn = () => {
    if (isOver) {
      return;
    }
    // Whoever has an answer came after what had been sent before.
    for (const word of ['first', 'second']) {
      execFileSync('redis-cli', ['-p', String(server.port), 'ECHO', word]);
    }
    Atomics.wait(hold, 0, 0, 2 * ANSWER_MS);
    setImmediate(turn);
  };
  turn();
  return () => {
    isOver = true;
  };
}

for (const way of ['its own connection', 'one that is lent']) {
  test(`a process that is kept from running finds the answers that have come meanwhile, by ${way}`, async (t) => {
    const server = await RedisServer.start(t);
    const redis = way === 'one that is lent' ? new Redis(server.port) : undefined;
    const lent = redis ? { redis } : { url: server.url };
    const client = new EventClient('api-server', { ...patient, ...lent, answerTimeoutMs: ANSWER_MS });
    // Connected at leisure, whatever a busy machine loses to the short time limit.
    await redis?.ping();
    await until(() => {
      emit(client, 1);
      return client.flush(PATIENCE_MS);
    });
    const before = balanced(client);
    const release = keepWaiting(server);
    for (let batch = 0; batch < 5; batch += 1) {
      emit(client, 10);
      assert.ok(await client.flush(PATIENCE_MS));
    }
    release();
    const { sent, reasons } = balanced(client);
    assert.deepEqual([sent, reasons], [before.sent + 50, before.reasons]);
    await client.close();
    await redis?.quit();
  });
}
