// `@emp/events/testing`: what a service's own tests look at.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { EventClient, apiTelemetry, runWithTrace, workerTelemetry } from '@emp/events';
import { recordEvents } from '@emp/events/testing';
import { PATIENCE_MS, RedisServer, patient } from './redis.mjs';

function started(t) {
  const recorded = recordEvents();
  t.after(() => recorded.stop());
  return recorded;
}

test('ready-made clients are recorded where a test runner switches them off', (t) => {
  apiTelemetry.event('before.it');
  const recorded = started(t);
  apiTelemetry.jobEvent('job_1', 'job.created', { jobType: 'image', password: 'x' });
  runWithTrace('4bf92f3577b34da6a3ce929d0e0e4736', () => workerTelemetry.jobEvent('job_1', 'job.failed', new Error('no')));
  const [created, failed] = recorded.all;
  const { timestamp, ...rest } = created;
  assert.ok(Math.abs(Date.now() - timestamp) < 60_000);
  assert.deepEqual(rest, {
    service: 'api-server', type: 'job.created', level: 'info', jobId: 'job_1',
    data: { jobType: 'image', password: '[redacted]' },
  });
  assert.equal(failed.level, 'error');
  assert.equal(failed.service, 'worker');
  assert.equal(failed.traceId, '4bf92f3577b34da6a3ce929d0e0e4736');
  assert.deepEqual(recorded.types, ['job.created', 'job.failed']);
  assert.deepEqual(recorded.ofJob('job_1').length, 2);
  assert.deepEqual(recorded.ofType('job.failed'), [failed]);
  assert.equal(apiTelemetry.stats().sent, 1);
  recorded.clear();
  assert.deepEqual(recorded.all, []);
});

test('a client keeps to its own options, and to one event of those that are the same', (t) => {
  const recorded = started(t);
  const client = new EventClient('quiet', { enabled: false, level: 'warn', sample: { 'noise.*': 0 } });
  client.event('a.b');
  client.event('noise.made', {}, { level: 'warn' });
  client.event('c.d', {}, { level: 'warn', once: 'one' });
  client.event('c.d', {}, { level: 'warn', once: 'one' });
  assert.deepEqual(recorded.types, ['c.d']);
  assert.deepEqual([client.stats().emitted, client.stats().sampled], [4, 2]);
});

test('what is waited for is there, or the reason tells what came instead', async (t) => {
  const recorded = started(t);
  const waiting = recorded.waitFor('job.completed');
  setImmediate(() => apiTelemetry.jobEvent('job_2', 'job.completed'));
  assert.equal((await waiting).jobId, 'job_2');
  assert.equal((await recorded.waitFor('job.completed')).jobId, 'job_2');
  await assert.rejects(recorded.waitFor('job.failed', 1), /no job.failed within 1 ms, but: job.completed/);
});

test('while it records nothing is sent, and before and after it all is', async (t) => {
  const server = await RedisServer.start(t, []);
  const client = new EventClient('api-server', { enabled: true, url: server.url, ...patient });
  t.after(() => client.close(50));
  client.event('one.sent');
  assert.ok(await client.flush(PATIENCE_MS));
  const recorded = recordEvents();
  client.event('two.recorded');
  assert.ok(await client.flush(PATIENCE_MS));
  recorded.stop();
  client.event('three.sent');
  assert.ok(await client.flush(PATIENCE_MS));
  assert.deepEqual((await server.entries()).map(({ eventType }) => eventType), ['one.sent', 'three.sent']);
  assert.deepEqual(recorded.types, ['two.recorded']);
});

test('a test of ES modules records what an application of CommonJS emits', (t) => {
  const recorded = started(t);
  createRequire(import.meta.url)('@emp/events').machineTelemetry.machineEvent('m1', 'machine.ready');
  assert.deepEqual(recorded.all.map(({ type, machineId }) => [type, machineId]), [['machine.ready', 'm1']]);
});
