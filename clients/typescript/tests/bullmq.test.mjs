import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { EventClient } from '@emp/events';
import { observeQueue, observeWorker } from '@emp/events/bullmq';
import { FlowProducer, Queue, QueueEvents, Worker } from 'bullmq';
import { here, run } from './processes.mjs';
import { PATIENCE_MS, RedisServer, patient, until } from './redis.mjs';

const AN_HOUR_MS = 3_600_000;

/** A queue with a Redis of its own, and what is told of it. */
class World {
  name = 'images';
  /** What ends with the test, the latest first: BullMQ waits for a Redis that is gone. */
  #ends = [];

  static async start(test) {
    const world = new World();
    world.server = await RedisServer.start({ after: (end) => world.ends(end) }, ['--maxmemory-policy', 'noeviction']);
    world.connection = { port: world.server.port };
    world.client = new EventClient('worker', { url: world.server.url, ...patient });
    world.queue = new Queue(world.name, { connection: world.connection });
    world.ends(() => world.client.close());
    world.ends(() => world.queue.close());
    test.after(async () => {
      for (const end of world.#ends) {
        await end();
      }
    });
    return world;
  }

  ends(end) {
    this.#ends.unshift(end);
  }

  worker(id, process, options = {}) {
    const worker = new Worker(this.name, process, { connection: this.connection, ...options });
    const observer = observeWorker(worker, { workerId: id, machineId: 'm1', client: this.client, heartbeatMs: 0 });
    this.ends(() => worker.close(true));
    return { worker, observer };
  }

  observe() {
    const queueEvents = new QueueEvents(this.name, { connection: this.connection, lastEventId: '0-0' });
    this.ends(() => queueEvents.close());
    return observeQueue(queueEvents, { client: this.client });
  }

  /** What was told, of a job or of all, in the order in which it came. */
  async told(jobId) {
    await this.client.flush(PATIENCE_MS);
    const entries = await this.server.entries();
    const events = entries.map(({ data, timestamp, ...entry }) => {
      return { ...entry, timestamp: Number(timestamp), data: JSON.parse(data) };
    });
    return jobId === undefined ? events : events.filter((event) => event.jobId === jobId);
  }

  /** Waits until an event of that type was told, so many times. */
  async hears(type, times = 1) {
    await until(async () => (await this.told()).filter(({ eventType }) => eventType === type).length >= times);
  }
}

const types = (events) => events.map(({ eventType }) => eventType);

test('each event of a queue is written once, though three processes tell it', async (t) => {
  const world = await World.start(t);
  const { worker } = world.worker('w1', async () => 'done');
  const done = new Promise((resolve) => worker.on('drained', resolve));
  const jobs = await world.queue.addBulk(Array.from({ length: 40 }, (_, n) => ({ name: 'image', data: { n } })));
  await world.queue.pause();
  await world.queue.resume();
  await done;
  const expected = 2 * jobs.length + 2;

  const observers = Array.from({ length: 3 }, () => {
    const env = { ...process.env, REDIS_URL: world.server.url };
    return fork('bullmq_observer.mjs', [world.name, String(world.server.port)], { cwd: here, env });
  });
  const ask = async (observer, message) => {
    const answer = once(observer, 'message');
    observer.send(message);
    return (await answer)[0];
  };
  await Promise.all(observers.map((observer) => once(observer, 'message')));
  for (const observer of observers) {
    await until(async () => (await ask(observer, 'count')) === expected);
  }
  await Promise.all(observers.map((observer) => {
    const ended = once(observer, 'exit');
    observer.send('stop');
    return ended;
  }));

  const told = (await world.told()).filter(({ service }) => service === 'bullmq');
  assert.equal(told.length, expected);
  for (const { id, timestamp } of jobs) {
    const ofJob = told.filter(({ jobId }) => jobId === `images:${id}`);
    assert.deepEqual(types(ofJob), ['job.created', 'job.queued']);
    assert.equal(ofJob[0].data.jobType, 'image');
    assert.ok(ofJob[0].timestamp - timestamp < PATIENCE_MS, 'it is the moment at which it was added');
  }
  assert.deepEqual(types(told.slice(-2)), ['queue.paused', 'queue.resumed']);
});

test('a job’s life is told with BullMQ’s own times', async (t) => {
  const world = await World.start(t);
  const { worker, observer } = world.worker('w1', (job) => job.updateProgress(50), { concurrency: 3 });
  const completed = once(worker, 'completed');
  const { id } = await world.queue.add('image', { traceId: 'a trace' }, { attempts: 4 });
  const [job] = await completed;
  await worker.close();
  await observer.stop();
  const told = await world.told();
  const ofJob = told.filter(({ jobId }) => jobId === `images:${id}`);
  assert.deepEqual(types(ofJob), [
    'job.claimed', 'job.processing_started', 'job.progress_updated', 'job.completed',
  ]);
  const [claimed, started, progressed, ended] = ofJob;
  assert.deepEqual([claimed.timestamp, started.timestamp, ended.timestamp], [job.processedOn, job.processedOn, job.finishedOn]);
  assert.deepEqual(claimed.data, {
    queueName: 'images', attempt: 1, jobType: 'image', maxAttempts: 4, claimTimeMs: job.processedOn - job.timestamp,
  });
  assert.equal(progressed.data.progress, 50);
  assert.equal(ended.data.durationMs, job.finishedOn - job.processedOn);
  for (const { workerId, machineId, traceId, service } of ofJob) {
    assert.deepEqual([workerId, machineId, traceId, service], ['w1', 'm1', 'a trace', 'worker']);
  }
  const ofWorker = told.filter(({ eventType }) => eventType.startsWith('worker.'));
  assert.deepEqual(types(ofWorker), ['worker.starting', 'worker.ready', 'worker.shutting_down', 'worker.stopped']);
  assert.equal(ofWorker[0].data.concurrency, 3);
});

test('a job that fails is tried again, and fails for good with its last attempt', async (t) => {
  const world = await World.start(t);
  world.observe();
  world.worker('w1', async () => {
    throw new Error('poisoned');
  });
  const { id } = await world.queue.add('image', {}, { attempts: 3, backoff: { type: 'fixed', delay: 5 } });
  await world.hears('job.failed');
  await world.hears('job.delayed', 2);
  const told = await world.told(`images:${id}`);
  const failures = told.filter(({ data }) => data.error);
  assert.deepEqual(types(failures), ['job.retry_scheduled', 'job.retry_scheduled', 'job.failed']);
  failures.forEach(({ data, level, timestamp }, index) => {
    assert.deepEqual([data.error, data.attempt, data.maxAttempts, data.willRetry], ['poisoned', index + 1, 3, index < 2]);
    assert.equal(level, index < 2 ? 'info' : 'error');
    assert.equal(data.nextRetryAt, index < 2 ? timestamp + 5 : undefined);
  });
  const claims = told.filter(({ eventType }) => eventType === 'job.claimed');
  assert.deepEqual(claims.map(({ data }) => data.attempt), [1, 2, 3]);
  assert.deepEqual(claims.map(({ data }) => data.claimTimeMs !== undefined), [true, false, false]);
});

test('a job that is to wait says until when', async (t) => {
  const world = await World.start(t);
  world.observe();
  const job = await world.queue.add('image', {}, { delay: AN_HOUR_MS });
  await world.hears('job.delayed');
  const told = await world.told(`images:${job.id}`);
  assert.deepEqual(types(told), ['job.created', 'job.delayed']);
  assert.deepEqual(told[1].data, { queueName: 'images', until: job.timestamp + AN_HOUR_MS });
  await job.remove();
  await world.hears('job.removed');
});

test('a job that its worker lost is stalled, and another worker’s second attempt', async (t) => {
  const world = await World.start(t);
  world.observe();
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  // Its lock expires at once, as that of a worker that is frozen.
  const frozen = world.worker('w1', () => held, { lockDuration: 20, skipLockRenewal: true, skipStalledCheck: true });
  const { id } = await world.queue.add('image', {});
  await world.hears('job.claimed');
  world.worker('w2', async () => 'done', { stalledInterval: 20 });
  await world.hears('job.completed');
  await world.hears('job.stalled');
  const told = await world.told(`images:${id}`);
  const claims = told.filter(({ eventType }) => eventType === 'job.claimed');
  assert.deepEqual(claims.map(({ workerId, data }) => [workerId, data.attempt]), [['w1', 1], ['w2', 2]]);
  assert.equal(told.filter(({ eventType }) => eventType === 'job.stalled').length, 1);
  assert.equal(told.find(({ eventType }) => eventType === 'job.completed').workerId, 'w2');
  // What comes of the first attempt is too late for BullMQ, and is no second end of the job.
  const late = new Promise((resolve) => frozen.worker.on('error', resolve));
  release();
  await late;
  await world.hears('worker.error');
  assert.equal(types(await world.told(`images:${id}`)).filter((type) => type === 'job.completed').length, 1);
});

test('a job that its worker gives back is released, and not stalled', async (t) => {
  const world = await World.start(t);
  world.observe();
  let refused = false;
  const { worker } = world.worker('w1', async () => {
    if (!refused) {
      refused = true;
      await worker.rateLimit(20);
      throw Worker.RateLimitError();
    }
  });
  const { id } = await world.queue.add('image', {});
  await world.hears('job.completed');
  await world.hears('job.released');
  const told = await world.told(`images:${id}`);
  assert.equal(told.filter(({ eventType }) => eventType === 'job.claimed').length, 2);
  const waits = told.filter(({ eventType }) => ['job.queued', 'job.released', 'job.stalled'].includes(eventType));
  assert.deepEqual(waits.map(({ eventType, data }) => [eventType, data.prev]), [['job.queued', undefined], ['job.released', 'active']]);
});

test('a job of a flow waits for its children, which say whose they are', async (t) => {
  const world = await World.start(t);
  world.observe();
  const flows = new FlowProducer({ connection: world.connection });
  world.ends(() => flows.close());
  const image = { name: 'image', queueName: world.name, data: {} };
  const { job, children } = await flows.add({ ...image, name: 'album', children: [image, image] });
  await world.hears('job.waiting_children');
  world.worker('w1', async () => 'done');
  await world.hears('job.completed', 3);
  await world.hears('job.queued', 3);
  const [album, ...images] = await Promise.all([job, ...children.map((child) => child.job)].map(async ({ id }) => {
    const claim = (events) => events.find(({ eventType }) => eventType === 'job.claimed');
    const told = await world.told(`images:${id}`);
    return { types: types(told), parent: claim(told).data.parentJobId };
  }));
  assert.equal(album.parent, undefined);
  assert.deepEqual(images.map(({ parent }) => parent), [`images:${job.id}`, `images:${job.id}`]);
  // The queue's and the worker's events come over two connections.
  const ofQueue = ['job.created', 'job.waiting_children', 'job.queued'];
  assert.deepEqual(album.types.filter((type) => ofQueue.includes(type)), ofQueue);
});

test('whatever the application’s functions throw, jobs go on', async (t) => {
  const world = await World.start(t);
  const worker = new Worker('images', async () => 'done', { connection: world.connection });
  world.ends(() => worker.close());
  const errors = [];
  worker.on('error', (error) => errors.push(error));
  observeWorker(worker, {
    client: world.client,
    jobId: () => {
      throw new Error('no such job');
    },
  });
  const completed = once(worker, 'completed');
  await world.queue.add('image', {});
  await completed;
  await world.hears('telemetry.observer_failed', 2);
  const [failure] = (await world.told()).filter(({ eventType }) => eventType === 'telemetry.observer_failed');
  assert.equal(failure.data.error, 'no such job');
  assert.deepEqual(errors, []);
});

test('an observer that was stopped leaves nothing behind', async (t) => {
  const world = await World.start(t);
  const worker = new Worker('images', async () => 'done', { connection: world.connection, autorun: false });
  const queueEvents = new QueueEvents('images', { connection: world.connection });
  world.ends(() => Promise.all([worker.close(), queueEvents.close()]));
  const listeners = () => [worker, queueEvents].map((emitter) => {
    return emitter.eventNames().map((name) => [name, emitter.listenerCount(name)]);
  });
  const before = listeners();
  const observers = [
    observeWorker(worker, { client: world.client, heartbeatMs: 1 }),
    observeQueue(queueEvents, { client: world.client }),
  ];
  assert.notDeepEqual(listeners(), before);
  await world.hears('worker.heartbeat', 2);
  await Promise.all(observers.map((observer) => observer.stop()));
  assert.deepEqual(listeners(), before);
  const { emitted } = world.client.stats();
  await world.queue.add('image', {});
  assert.equal(world.client.stats().emitted, emitted);
});

test('neither the client nor the adapter loads BullMQ', async () => {
  const script = `require('@emp/events'); require('@emp/events/bullmq');
    const loaded = Object.keys(require.cache).filter((path) => /node_modules.(bullmq|ioredis|@redis)/.test(path));
    process.stdout.write(JSON.stringify(loaded));`;
  const { stdout, stderr } = await run(script, { commonJs: true });
  assert.deepEqual([stdout, stderr], ['[]', '']);
});
