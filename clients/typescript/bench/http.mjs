// What recording events costs an HTTP API, in several ways and with Redis in several states.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisServer, temporaryFolder } from '../tests/redis.mjs';
import { pace, saturate } from './http_load.mjs';
import { median, percentile, table, withScope } from './measure.mjs';

const ROUNDS = 7;
const WARM_UP_MS = 2_000;
const PACE_MS = 1_200;
const SATURATE_MS = 700;
const REST_MS = 200;
/** Of the one core that the server can use, at a steady pace: at its limit all waiting is queueing. */
const LOAD = 0.35;

/** What there is beside a server: gives its variables, and the process that runs only while it is measured. */
const alone = async () => ({ env: {} });
const stopped = async () => ({ env: { REDIS_URL: 'redis://127.0.0.1:1' } });
const logFile = async (scope) => ({ env: { BENCH_LOG: join(temporaryFolder(scope), 'log') } });

async function redis(scope) {
  const server = await RedisServer.start(scope);
  return { server, env: { REDIS_URL: server.url } };
}

async function frozen(scope) {
  const { server, env } = await redis(scope);
  server.freeze();
  return { env };
}

async function flooded(scope) {
  const { server, env } = await redis(scope);
  const { child } = await start(scope, 'http_beside.mjs', ['flood', server.port]);
  child.kill('SIGSTOP');
  return { env, intruder: child };
}

async function sink(scope) {
  const { message: url } = await start(scope, 'http_beside.mjs', ['sink']);
  return { env: { BENCH_SINK: url } };
}

/** The name, the recorder, and what there is beside it. */
const CASES = [
  ['none', 'none', alone],
  ['this client', 'telemetry', redis],
  ['this client, Redis stopped', 'telemetry', stopped],
  ['this client, Redis frozen', 'telemetry', frozen],
  ['none, beside a flooded Redis', 'none', flooded],
  ['this client, Redis flooded', 'telemetry', flooded],
  ['ioredis, `await xadd`', 'xadd', redis],
  ['pino to a file', 'pinoToFile', logFile],
  ['OpenTelemetry SDK, three spans', 'openTelemetry', sink],
];

/** Starts a process that ends with the scope, and waits for its first message. */
async function start(scope, file, args, env = {}) {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, { env: { ...process.env, ...env } });
  scope.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${file} has ended`);
  });
  const [message] = await Promise.race([once(child, 'message'), ended]);
  return { child, message };
}

async function startServer(scope, recorder, beside) {
  const { env, intruder } = await beside(scope);
  const { child, message: port } = await start(scope, 'http_server.mjs', [], { ...env, BENCH_RECORDER: recorder });
  await saturate(port, WARM_UP_MS);
  return { child, port, intruder };
}

async function cpuMicros(child) {
  child.send('cpu');
  const [{ user, system }] = await once(child, 'message');
  return user + system;
}

async function measure({ child, port, intruder }, perSecond) {
  intruder?.kill('SIGCONT');
  const cpuBefore = await cpuMicros(child);
  const times = await pace(port, perSecond, PACE_MS);
  const cpu = (await cpuMicros(child)) - cpuBefore;
  const most = await saturate(port, SATURATE_MS);
  intruder?.kill('SIGSTOP');
  // What is still to be sent or written is not to fall to the next one.
  await sleep(REST_MS);
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99), cpu: cpu / times.length, most };
}

/** The best of three, since other work on the machine slows the server down. */
async function steadyPace(server) {
  const cpu = [];
  for (let round = 0; round < 3; round += 1) {
    cpu.push((await measure(server, 500)).cpu);
  }
  return Math.round((LOAD * 1e6) / Math.min(...cpu) / 50) * 50;
}

/** A column's median, and in brackets what share it is of the same without events, round by round. */
function cell(rounds, noneRounds, key, write) {
  const shares = rounds.map((round, index) => (round[key] / noneRounds[index][key]) * 100);
  return `${write(median(rounds.map((round) => round[key])))} (${median(shares).toFixed(0)} %)`;
}

export function httpCost() {
  return withScope(async (scope) => {
    const servers = [];
    for (const [, recorder, beside] of CASES) {
      servers.push(await startServer(scope, recorder, beside));
    }
    const perSecond = await steadyPace(servers[0]);
    const results = CASES.map(() => []);
    // Round after round, so that other work on the machine falls on all cases alike.
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [index, server] of servers.entries()) {
        results[index].push(await measure(server, perSecond));
      }
    }
    return report(results, perSecond);
  });
}

function report(results, perSecond) {
  const rows = results.map((rounds, index) => [
    CASES[index][0],
    cell(rounds, results[0], 'p50', (ms) => ms.toFixed(3)),
    cell(rounds, results[0], 'p99', (ms) => ms.toFixed(3)),
    cell(rounds, results[0], 'cpu', (micros) => micros.toFixed(0)),
    cell(rounds, results[0], 'most', (count) => Math.round(count).toLocaleString('en')),
  ]);
  const headings = ['events', `p50 at ${perSecond}/s, ms`, `p99 at ${perSecond}/s, ms`, 'CPU a request, µs', 'requests/s at most'];
  return table('HTTP API, three events a request; in brackets: against none', headings, rows);
}
