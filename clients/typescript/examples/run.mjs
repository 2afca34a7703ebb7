// Starts an API server, two workers and a webhook service, sends them jobs, and ends.
//
//   REDIS_URL=redis://127.0.0.1:6379 node examples/run.mjs --jobs 5
//
// Prints one JSON line a job: {"jobId": "job_…"}.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { newTraceId, traceparent } from '@emp/events';
import { postJson } from './settings.mjs';

const TIMEOUT_MS = 60_000;

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function startService(name, env) {
  const child = fork(fileURLToPath(new URL(name, import.meta.url)), { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  await once(child, 'message');
  return child;
}

async function startAll() {
  const [api, webhook] = [await freePort(), await freePort()];
  const env = { ...process.env, EXAMPLE_API_PORT: String(api), EXAMPLE_WEBHOOK_PORT: String(webhook) };
  const hooks = await startService('webhook.mjs', env);
  const services = [hooks, await startService('api.mjs', env)];
  for (const number of [1, 2]) {
    const workerEnv = { ...env, EXAMPLE_WORKER_ID: `worker-gpu0${number}-1`, EXAMPLE_MACHINE_ID: `gpu0${number}` };
    services.push(await startService('worker.mjs', workerEnv));
  }
  return { url: `http://127.0.0.1:${api}`, hooks, services };
}

async function stop(service) {
  if (service.exitCode === null) {
    const ended = once(service, 'exit');
    service.kill('SIGTERM');
    await ended;
  }
}

function allDone(hooks, count) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not all jobs were done after ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
    let done = 0;
    hooks.on('message', (message) => {
      done += message.done ? 1 : 0;
      if (done === count) {
        clearTimeout(timer);
        resolve();
      }
    });
  });
}

const { values } = parseArgs({ options: { jobs: { type: 'string', default: '5' } } });
const count = Number(values.jobs);
if (!Number.isInteger(count) || count < 1) {
  process.stderr.write('--jobs takes a number of jobs, at least 1\n');
  process.exit(2);
}
const { url, hooks, services } = await startAll();
const done = allDone(hooks, count);
for (let job = 0; job < count; job += 1) {
  const request = { type: 'image', userId: `user_${(job % 3) + 1}`, priority: job % 2 ? 'high' : 'normal' };
  const { id } = await postJson(`${url}/jobs`, request, { traceparent: traceparent(newTraceId()) });
  process.stdout.write(`${JSON.stringify({ jobId: id })}\n`);
}
await done;
await fetch(`${url}/health`);
// Workers first, so that none asks a server that is gone; then the servers.
for (const service of services.reverse()) {
  await stop(service);
}
