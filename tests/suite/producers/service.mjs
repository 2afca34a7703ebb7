// A service under load: it emits until its input ends, whatever Redis does, and prints what became of its events,
// again and again, and at its end. Anything that goes wrong in it ends it with status 3.
import { setTimeout as sleep } from 'node:timers/promises';

const [client, perSecond] = process.argv.slice(2);
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
let isOver = false;
process.stdin.on('end', () => (isOver = true)).resume();
const startedAt = performance.now();
let emitted = 0;
const tell = () => process.stdout.write(`${JSON.stringify({ calls: emitted, ...events.stats() })}\n`);
for (let round = 0; !isOver; round += 1) {
  for (; emitted < ((performance.now() - startedAt) / 1000) * perSecond; emitted += 1) {
    const type = emitted % 4 === 0 ? 'job.progress_updated' : 'job.claimed';
    events.jobEvent(`job_${emitted}`, type, { number: emitted, worker: 'worker-gpu01-1' });
  }
  await sleep(5);
  if (round % 10 === 0) tell();
}
await events.close(120_000);
tell();
