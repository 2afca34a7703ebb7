import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PATIENCE_MS, RedisServer } from './redis.mjs';

const LIFE = [
  'job.created', 'job.queued', 'job.claimed', 'connector.processing_started',
  'job.progress_updated', 'job.progress_updated', 'job.progress_updated', 'job.progress_updated',
  'connector.processing_completed', 'job.completed', 'webhook.delivering', 'webhook.delivered',
];

test('the example produces whole lives of jobs, each in one trace', async (t) => {
  const server = await RedisServer.start(t);
  const script = fileURLToPath(new URL('../examples/run.mjs', import.meta.url));
  const env = { ...process.env, REDIS_URL: server.url };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, '--jobs', '5'], { env, timeout: PATIENCE_MS });
  assert.equal(stderr, '');
  const jobIds = stdout.trim().split('\n').map((line) => JSON.parse(line).jobId);
  assert.equal(new Set(jobIds).size, 5);
  const entries = await server.entries();
  for (const jobId of jobIds) {
    const life = entries.filter((entry) => entry.jobId === jobId);
    life.sort((left, right) => LIFE.indexOf(left.eventType) - LIFE.indexOf(right.eventType));
    assert.deepEqual(life.map(({ eventType }) => eventType), LIFE);
    assert.equal(new Set(life.map(({ traceId }) => traceId)).size, 1);
  }
  const types = new Set(entries.map(({ eventType }) => eventType));
  for (const type of ['server.starting', 'server.ready', 'server.shutting_down', 'worker.ready', 'worker.stopped', 'health_check.performed']) {
    assert.ok(types.has(type), type);
  }
  // A worker whose connection was closed while the machine was busy says so, and asks again: that is no job's failure.
  const failures = entries.filter(({ level, eventType }) => level === 'error' && eventType !== 'worker.claim_failed');
  assert.deepEqual(failures, []);
});

test('the guide shows lines of the application that uses BullMQ', () => {
  const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');
  const guide = read('../../../docs/producers.md');
  const files = ['api', 'worker', 'webhook'].map((name) => read(`../examples/bullmq/${name}.mjs`));
  const shown = [...guide.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);
  assert.ok(shown.length >= 6);
  for (const code of shown) {
    assert.ok(files.some((file) => file.includes(code)), code);
  }
});
