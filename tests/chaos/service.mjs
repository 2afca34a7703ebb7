// The service in TypeScript: see service.rs.
import { openSync, writeSync } from 'node:fs';

const [client, queueEvents] = process.argv.slice(2);
const { EMP_CHAOS_SERVICE: name, EMP_CHAOS_NOTES: notes } = process.env;
const { EventClient } = await import(client);

const BURST = 3;
const PAUSE_MS = 10;

const file = openSync(notes, 'a');
const events = new EventClient(name, {
  ratePerSecond: 0,
  maxLength: 4_000_000_000,
  maxQueueEvents: Number(queueEvents),
  connectTimeoutMs: 300,
  answerTimeoutMs: 300,
});
let calls = 0;
/** In one write: it is there whole, or not at all. */
function note(isLast) {
  const { emitted, sent, spooled, dropped, queued, reasons } = events.stats();
  const unanswered = reasons.unanswered ?? 0;
  writeSync(file, `${JSON.stringify({ calls, emitted, sent, spooled, dropped, unanswered, queued, is_last: isLast })}\n`);
}
function emit() {
  for (let count = 0; count < BURST; count += 1) {
    events.jobEvent(`job_${calls}`, 'job.claimed', { number: calls });
    calls += 1;
  }
  note(false);
}
// SIGTERM has no handler here: the client's own sends what waits, and the signal ends the process.
process.on('SIGINT', () => process.exit(0));
emit();
// Behind the client's own listener, which it has added with its first event.
process.on('exit', () => note(true));
setInterval(emit, PAUSE_MS);
