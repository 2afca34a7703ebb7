import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as events from '@emp/events';
import { PATIENCE_MS, RedisServer, balanced, patient } from './redis.mjs';

const { EventClient, runWithTrace, currentTraceId, traceparent, traceFromHeaders, newTraceId, startTimer } = events;

/** A client on a server of its own, and a way to see what arrived. */
async function started(t, options = {}, settings = []) {
  const server = await RedisServer.start(t, settings);
  const client = new EventClient('api-server', { url: server.url, ...patient, ratePerSecond: 1_000, ...options });
  const arrived = async () => {
    assert.ok(await client.flush(PATIENCE_MS));
    return server.entries();
  };
  t.after(() => client.close(50));
  return { server, client, arrived };
}

test('the ready-made clients and the settings of the stream are there', () => {
  for (const name of ['apiTelemetry', 'workerTelemetry', 'machineTelemetry', 'webhookTelemetry', 'monitorTelemetry']) {
    assert.ok(events[name] instanceof EventClient);
    assert.equal(events[name].stats().emitted, 0);
  }
  assert.deepEqual(events.TELEMETRY_CONFIG, {
    streamName: 'emp:events', maxLength: 10_000, retention: 86_400_000, trimStrategy: 'MAXLEN',
  });
});

test('each kind of event carries its id', async (t) => {
  const { client, arrived } = await started(t);
  await client.event('server.ready', { port: 1 });
  await client.jobEvent('j1', 'job.created', { a: 1 });
  await client.workerEvent('w1', 'worker.ready');
  await client.machineEvent('m1', 'machine.ready', {}, { jobId: 'j2', userId: 'u' });
  const [plain, job, worker, machine] = await arrived();
  assert.equal(plain.service, 'api-server');
  assert.match(plain.timestamp, /^\d{13}$/);
  assert.equal(job.jobId, 'j1');
  assert.equal(worker.workerId, 'w1');
  assert.deepEqual([machine.machineId, machine.jobId, machine.userId], ['m1', 'j2', 'u']);
  assert.equal(balanced(client).sent, 4);
});

test('children carry the ids they were given', async (t) => {
  const { client, arrived } = await started(t);
  const child = client.child({ workerId: 'w1', jobId: 'old' }).withJob('j1');
  child.event('a.b');
  child.jobEvent('j2', 'a.b', {}, { workerId: 'w2' });
  const [first, second] = await arrived();
  assert.deepEqual([first.workerId, first.jobId], ['w1', 'j1']);
  assert.deepEqual([second.workerId, second.jobId], ['w2', 'j2']);
});

test('nonsense in any parameter neither throws nor is lost', async (t) => {
  const { client, arrived } = await started(t);
  for (const odd of [undefined, null, 0, '', NaN, Symbol('s'), [], {}, () => 1, new Proxy({}, {}), 12n]) {
    client.event(odd, odd, odd);
    client.jobEvent(odd, 'job.created', odd, odd);
    client.child(odd ?? {}).event('a.b', odd);
  }
  client.event(Object.create(null));
  client.event('a.b', {}, { get traceId() { throw new Error('no'); } });
  await arrived();
  const stats = balanced(client);
  // With the report of the two that could not be read.
  assert.equal(stats.emitted, 36);
  assert.deepEqual(stats.reasons, { refused: 2 });
});

test('events below the level count as sampled', async (t) => {
  const { client, arrived } = await started(t, { level: 'warn' });
  client.event('a.b');
  client.event('a.b', {}, { level: 'debug' });
  client.event('a.b', {}, { level: 'warn' });
  client.event('api.error');
  assert.deepEqual((await arrived()).map(({ level }) => level), ['warn', 'error']);
  assert.equal(balanced(client).sampled, 2);
});

test('sampling keeps whole jobs, and every error', async (t) => {
  const { client, arrived } = await started(t, { sample: { 'job.progress_updated': 0.3, 'x.*': 0 } });
  for (let job = 0; job < 200; job += 1) {
    for (let step = 0; step < 3; step += 1) {
      client.jobEvent(`job_${job}`, 'job.progress_updated', { step });
    }
  }
  client.event('x.y');
  client.event('x.y_failed');
  const entries = await arrived();
  const jobs = Map.groupBy ? Map.groupBy(entries, ({ jobId }) => jobId) : groupBy(entries);
  assert.equal(entries.filter(({ eventType }) => eventType === 'x.y_failed').length, 1);
  jobs.delete(undefined);
  assert.ok(jobs.size > 35 && jobs.size < 85, `${jobs.size} of 200 jobs were kept`);
  assert.ok([...jobs.values()].every((of) => of.length === 3));
  assert.equal(JSON.parse(entries[0].data).sampleRate, 0.3);
  assert.equal(balanced(client).sampled, 600 - jobs.size * 3 + 1);
});

function groupBy(entries) {
  const groups = new Map();
  for (const entry of entries) {
    groups.set(entry.jobId, [...(groups.get(entry.jobId) ?? []), entry]);
  }
  return groups;
}

test('a flood of one type is limited, other types and errors are not, and it is told', async (t) => {
  const { client, arrived } = await started(t, { ratePerSecond: 1e-9, rateBurst: 20 });
  for (let count = 0; count < 500; count += 1) {
    client.event('flood.made');
  }
  client.event('calm.made');
  client.event('flood.made', {}, { level: 'error' });
  await arrived();
  const told = (await arrived()).find(({ eventType }) => eventType === 'telemetry.dropped');
  const data = JSON.parse(told.data);
  assert.equal(told.level, 'warn');
  assert.equal(data.dropped, data.reasons.rate_limited);
  assert.equal(data.dropped, 480);
  assert.ok(data.sinceMs >= 0);
  const stats = balanced(client);
  assert.equal(stats.dropped, data.dropped);
  assert.equal(stats.sent, stats.emitted - stats.dropped);
});

test('data that cannot be cut to size is counted', async (t) => {
  const { client } = await started(t, { maxEventBytes: 40 });
  client.event('a.b', Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`k${index}`, 1])));
  assert.deepEqual(balanced(client).reasons, { too_large: 1 });
});

test('track tells of start, end and failure, and changes nothing', async (t) => {
  const { client, arrived } = await started(t);
  const failure = Object.assign(new Error('out of memory'), { code: 'E_GPU' });
  assert.equal(client.track('cache.warmup', { a: 1 }, () => 7), 7);
  assert.equal(await client.track('connector', {}, async () => 8), 8);
  assert.throws(() => client.track('job.parse', {}, () => { throw failure; }), (error) => error === failure);
  await assert.rejects(client.track('job.processing', {}, () => Promise.reject(failure), { jobId: 'j1' }), (error) => error === failure);
  const entries = await arrived();
  assert.deepEqual(entries.map(({ eventType }) => eventType), [
    'cache.warmup_started', 'cache.warmup_completed', 'connector.started', 'job.parse_started', 'job.parse_failed',
    'connector.completed', 'job.processing_started', 'job.processing_failed',
  ].sort((a, b) => entries.findIndex((e) => e.eventType === a) - entries.findIndex((e) => e.eventType === b)));
  const failed = entries.find(({ eventType }) => eventType === 'job.processing_failed');
  const data = JSON.parse(failed.data);
  assert.deepEqual([failed.level, failed.jobId, data.error, data.errorCode], ['error', 'j1', 'out of memory', 'E_GPU']);
  assert.equal(typeof data.durationMs, 'number');
});

test('a timer tells the milliseconds', async () => {
  const outerStart = performance.now();
  const timer = startTimer();
  const innerStart = performance.now();
  await nextTurn();
  const innerMs = performance.now() - innerStart;
  const toldMs = timer();
  const laterMs = timer.durationMs;
  const outerMs = performance.now() - outerStart;
  // It rounds to a microsecond.
  const inOrder = [0, innerMs - 0.001, toldMs, laterMs, outerMs + 0.001];
  assert.deepEqual(inOrder, [...inOrder].sort((a, b) => a - b));
});

test('a trace goes along through everything asynchronous, and not beyond', async (t) => {
  const { client, arrived } = await started(t);
  const traceId = newTraceId();
  assert.match(traceId, /^[0-9a-f]{32}$/);
  await runWithTrace(traceId, async () => {
    await nextTurn();
    setImmediate(() => client.event('late.made'));
    await Promise.all([client.event('a.b'), nextTurn()]);
    runWithTrace('their-own', () => client.event('inner.made'));
    client.event('given.made', {}, { traceId: 'given' });
    client.child({ traceId: 'bound' }).event('bound.made');
  });
  client.jobEvent('j1', 'outside.made');
  const traces = Object.fromEntries((await arrived()).map((entry) => [entry.eventType, entry.traceId]));
  assert.deepEqual(traces, {
    'a.b': traceId, 'late.made': traceId, 'inner.made': 'their-own', 'given.made': 'given', 'bound.made': 'bound', 'outside.made': undefined,
  });
  assert.equal(currentTraceId(), undefined);
});

test('trace headers are written and read', () => {
  const id = '4bf92f3577b34da6a3ce929d0e0e4736';
  const header = `00-${id}-00f067aa0ba902b7-01`;
  assert.match(runWithTrace(header, () => traceparent()), new RegExp(`^00-${id}-[0-9a-f]{16}-01$`));
  assert.match(traceparent(), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  assert.match(traceparent('4bf92f35-77b3-4da6-a3ce-929d0e0e4736'), new RegExp(id));
  for (const headers of [{ traceparent: header }, { TraceParent: [header] }, new Headers({ traceparent: header }), new Map([['traceparent', header]])]) {
    assert.equal(traceFromHeaders(headers), id);
  }
  const bad = [`ff-${id}-00f067aa0ba902b7-01`, `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `00-${id}-${'0'.repeat(16)}-01`, 'x', ''];
  for (const traceparentHeader of bad) {
    assert.equal(traceFromHeaders({ traceparent: traceparentHeader }), undefined, traceparentHeader);
  }
  assert.equal(traceFromHeaders(undefined), undefined);
  assert.match(runWithTrace(undefined, () => currentTraceId()), /^[0-9a-f]{32}$/);
});

test('switched off, nothing happens', async () => {
  const client = new EventClient('x', { enabled: false, url: 'nonsense' });
  await client.event('a.b');
  assert.equal(client.track('a', {}, () => 3), 3);
  assert.ok(await client.flush(PATIENCE_MS));
  assert.ok(await client.close());
  assert.equal(balanced(client).emitted, 0);
});

test('after close, events count as dropped; closing twice is closing', async (t) => {
  const { server, client } = await started(t);
  client.event('a.b');
  assert.deepEqual(await Promise.all([client.close(PATIENCE_MS), client.close(PATIENCE_MS)]), [true, true]);
  client.event('a.b');
  assert.deepEqual(balanced(client).reasons, { closed: 1 });
  assert.equal(await server.added(), 1);
});

test('fake timers of a test neither stop a client nor date its events', async (t) => {
  const { client, arrived } = await started(t);
  // By hand: Node 18 has no fake Date.
  t.mock.method(globalThis, 'setTimeout', () => ({ ref() {}, unref() {}, hasRef: () => false }));
  t.mock.method(Date, 'now', () => 0);
  client.event('a.b');
  const [entry] = await arrived();
  assert.match(entry.timestamp, /^\d{13}$/);
});

test('a hundred thousand events arrive in order, and the stream stays short', async (t) => {
  const { server, client } = await started(t, { ratePerSecond: 0, stream: 'other', maxLength: 500 });
  for (let count = 0; count < 100_000; count += 1) {
    client.event('load.made', { count });
    if (count % 5_000 === 4_999) {
      assert.ok(await client.flush(PATIENCE_MS));
    }
  }
  assert.equal(balanced(client).sent, 100_000);
  assert.equal(await server.added('other'), 100_000);
  const entries = await server.entries('other');
  assert.ok(entries.length < 1_000);
  assert.equal(JSON.parse(entries.at(-1).data).count, 99_999);
});
