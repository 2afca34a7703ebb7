// A service under load: it emits for the given number of seconds, whatever Redis does, and prints what became of
// its events. Anything that goes wrong in it ends it with status 3.
import { setTimeout as sleep } from 'node:timers/promises';

const [client, seconds, perSecond] = process.argv.slice(2);
for (const fault of ['unhandledRejection', 'uncaughtException', 'warning']) {
  process.on(fault, (error) => {
    process.stderr.write(`${fault}: ${error.stack}\n`);
    process.exit(3);
  });
}
const { EventClient } = await import(client);
const events = new EventClient('service-under-load', {
  ratePerSecond: 0,
  maxQueueEvents: 1_000,
  connectTimeoutMs: 300,
  answerTimeoutMs: 600,
  sample: { 'job.progress_updated': 0.5 },
});
const startedAt = performance.now();
let emitted = 0;
let longestMs = 0;
for (let elapsed = 0; elapsed < seconds * 1000; elapsed = performance.now() - startedAt) {
  for (; emitted < (elapsed / 1000) * perSecond; emitted += 1) {
    const type = emitted % 4 === 0 ? 'job.progress_updated' : 'job.claimed';
    const calledAt = performance.now();
    events.jobEvent(`job_${emitted}`, type, { number: emitted, worker: 'worker-gpu01-1' });
    longestMs = Math.max(longestMs, performance.now() - calledAt);
  }
  await sleep(5);
}
await events.close(10_000);
process.stdout.write(JSON.stringify({ calls: emitted, longestMs, ...events.stats() }));
