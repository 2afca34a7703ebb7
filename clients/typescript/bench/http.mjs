// What telemetry adds to the answers of an HTTP API: with Redis well, stopped and frozen.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { median, percentile, table, withRedis } from './measure.mjs';

/** Requests begin at a steady pace below what the server can do: at its limit all waiting is queueing. */
const PER_SECOND = 500;
const WARM_UP_MS = 1_000;
const MEASURE_MS = 3_000;
const ROUNDS = 3;

function get(agent, port) {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    request({ agent, port, host: '127.0.0.1' }, (response) => {
      response.resume().on('end', () => resolve(performance.now() - startedAt));
    }).on('error', reject).end();
  });
}

async function pace(agent, port, forMs) {
  const answers = [];
  const startedAt = performance.now();
  for (let elapsed = 0; elapsed < forMs; elapsed = performance.now() - startedAt) {
    while (answers.length < (elapsed / 1000) * PER_SECOND) {
      answers.push(get(agent, port));
    }
    await sleep(1);
  }
  return Promise.all(answers);
}

async function saturate(agent, port, forMs) {
  const until = performance.now() + forMs;
  let answered = 0;
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (performance.now() < until) {
      await get(agent, port);
      answered += 1;
    }
  }));
  return answered / (forMs / 1000);
}

async function measure(events, url) {
  const env = { ...process.env, BENCH_EVENTS: events ? '1' : '0', REDIS_URL: url };
  const child = fork(fileURLToPath(new URL('http_server.mjs', import.meta.url)), { env });
  const [port] = await once(child, 'message');
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  await pace(agent, port, WARM_UP_MS);
  const times = await pace(agent, port, MEASURE_MS);
  const perSecond = await saturate(agent, port, 2_000);
  agent.destroy();
  child.kill('SIGKILL');
  await once(child, 'exit');
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99), perSecond };
}

const CASES = {
  none: () => measure(false, ''),
  telemetry: () => withRedis((server) => measure(true, server.url)),
  'telemetry, Redis stopped': () => measure(true, 'redis://127.0.0.1:1'),
  'telemetry, Redis frozen': () => withRedis((server) => {
    server.freeze();
    return measure(true, server.url);
  }),
};

export async function httpLatency() {
  const results = Object.fromEntries(Object.keys(CASES).map((name) => [name, []]));
  // Round after round, so that other work on the machine falls on all cases alike.
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, run] of Object.entries(CASES)) {
      results[name].push(await run());
    }
  }
  const rows = Object.entries(results).map(([name, rounds]) => [
    name,
    median(rounds.map(({ p50 }) => p50)).toFixed(3),
    median(rounds.map(({ p99 }) => p99)).toFixed(3),
    Math.round(median(rounds.map(({ perSecond }) => perSecond))).toLocaleString('en'),
  ]);
  return table('HTTP API, three events a request', ['events', `p50 at ${PER_SECOND}/s, ms`, `p99 at ${PER_SECOND}/s, ms`, 'requests/s at most'], rows);
}
