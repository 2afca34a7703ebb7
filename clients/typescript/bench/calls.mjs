// What a call costs its caller, and how many events a second can be sustained.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { EventClient } from '@emp/events';
import Redis from 'ioredis';
import pino from 'pino';
import { micros, percentile, table, typicalData, withRedis } from './measure.mjs';

const WARM_UP = 20_000;
const SAMPLES = 60_000;
/** With groups of 100, the p99 is the first call after a pause: caches are cold and a timer is set. */
const GROUP = 100;

/** Times single calls, in groups with a pause between them. */
async function timeCalls(call, group = GROUP) {
  const samples = [];
  for (let index = 0; index < WARM_UP + SAMPLES; index += 1) {
    const data = typicalData(index);
    const startedAt = process.hrtime.bigint();
    const pending = call(index, data);
    if (pending) {
      await pending;
    }
    const took = Number(process.hrtime.bigint() - startedAt);
    if (index >= WARM_UP) {
      samples.push(took);
    }
    if (index % group === group - 1) {
      await sleep(2);
    }
  }
  return [micros(percentile(samples, 0.5)), micros(percentile(samples, 0.99)), micros(percentile(samples, 0.999))];
}

export async function callCost() {
  const rows = [['nothing (the clock itself)', ...(await timeCalls(() => undefined))]];
  await withRedis(async (server) => {
    const settings = { url: server.url, ratePerSecond: 0 };
    const client = new EventClient('bench', settings);
    const discard = (promise) => void promise;
    rows.push(['`jobEvent`, flat data', ...(await timeCalls((index, data) => discard(client.jobEvent(`job_${index % 500}`, 'job.progress_updated', data))))]);
    rows.push(['`jobEvent`, flat data, groups of 1,000', ...(await timeCalls((index, data) => discard(client.jobEvent(`job_${index % 500}`, 'job.progress_updated', data)), 1_000))]);
    rows.push(['`event`, nested data', ...(await timeCalls((index, data) => discard(client.event('job.queued', { job: data, list: [1, 2, 3] }))))]);
    const sampling = new EventClient('bench', { ...settings, sample: { '*': 0.1 } });
    rows.push(['`jobEvent`, sampled at 0.1', ...(await timeCalls((index, data) => discard(sampling.jobEvent(`job_${index}`, 'job.progress_updated', data))))]);
    const off = new EventClient('bench', { enabled: false });
    rows.push(['`event`, switched off', ...(await timeCalls((index, data) => discard(off.event('a.b', data))))]);
    await Promise.all([client.close(), sampling.close()]);
    await server.stop();
    const down = new EventClient('bench', settings);
    rows.push(['`jobEvent`, Redis down', ...(await timeCalls((index, data) => discard(down.jobEvent('j', 'job.progress_updated', data))))]);
    await down.close(10);
  });
  await withRedis(async (server) => {
    const redis = new Redis(server.port);
    const add = (index, data) => redis.xadd('emp:events', 'MAXLEN', '~', 10_000, '*', 'timestamp', Date.now(), 'service', 'bench', 'eventType', 'job.progress_updated', 'jobId', `job_${index % 500}`, 'level', 'info', 'data', JSON.stringify(data));
    rows.push(['ioredis `await xadd`', ...(await timeCalls(add))]);
    rows.push(['ioredis `xadd`, not awaited', ...(await timeCalls((index, data) => void add(index, data)))]);
    redis.disconnect();
  });
  rows.push(['pino to a file', ...(await withPino((log) => timeCalls((index, data) => void log.info(data, 'job.progress_updated'))))]);
  return table('Cost of a call to its caller, µs, in groups of 100', ['call', 'p50', 'p99', 'p99.9'], rows);
}

async function withPino(run) {
  const folder = mkdtempSync(join(tmpdir(), 'emp-bench-'));
  const destination = pino.destination({ dest: join(folder, 'log'), sync: false, minLength: 4096 });
  try {
    return await run(pino(destination));
  } finally {
    destination.flushSync();
    destination.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

const SUSTAIN_MS = 4_000;

export async function throughput() {
  const rows = [];
  await withRedis(async (server) => {
    const client = new EventClient('bench', { url: server.url, ratePerSecond: 0 });
    const row = await sustain('this client', () => client.stats().sent, async (index) => {
      for (let count = 0; count < 500; count += 1) {
        client.jobEvent('job_1', 'job.progress_updated', typicalData(index + count));
      }
      do {
        await nextTurn();
      } while (client.stats().queued > 5_000);
      return 500;
    });
    rows.push([...row, client.stats().dropped]);
    await client.close();
  });
  await withRedis(async (server) => {
    const redis = new Redis(server.port);
    let sent = 0;
    const row = await sustain('ioredis `await xadd`', () => sent, async (index) => {
      await redis.xadd('emp:events', 'MAXLEN', '~', 10_000, '*', 'service', 'bench', 'eventType', 'a.b', 'data', JSON.stringify(typicalData(index)));
      sent += 1;
      return 1;
    });
    rows.push([...row, 0]);
    redis.disconnect();
  });
  return table('Events a second, sustained', ['way', 'events/s', 'µs of CPU an event', 'dropped'], rows);
}

async function sustain(name, sent, step) {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  let index = 0;
  while (performance.now() - startedAt < SUSTAIN_MS) {
    index += await step(index);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  return [name, Math.round(sent() / seconds).toLocaleString('en'), ((cpu.user + cpu.system) / sent()).toFixed(2)];
}
