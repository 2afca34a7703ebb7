// Memory while Redis is down and 10,000 events a second go on.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventClient } from '@emp/events';
import { table, typicalData } from './measure.mjs';

const PER_TURN = 100;
const TURN_MS = 10;

export async function memory(seconds) {
  const child = fork(fileURLToPath(import.meta.url), [String(seconds)], { execArgv: ['--expose-gc'] });
  const [rows] = await once(child, 'message');
  await once(child, 'exit');
  return table('Memory with Redis down, 10,000 events/s', ['after', 'heap, MiB', 'resident, MiB', 'emitted', 'queued', 'dropped'], rows);
}

async function load(seconds) {
  const client = new EventClient('bench', { url: 'redis://127.0.0.1:1', ratePerSecond: 0 });
  const rows = [];
  const note = (after) => {
    globalThis.gc();
    const { heapUsed, rss } = process.memoryUsage();
    const { emitted, queued, dropped } = client.stats();
    rows.push([after, (heapUsed / 2 ** 20).toFixed(1), (rss / 2 ** 20).toFixed(1), emitted, queued, dropped]);
  };
  note('0 s');
  const startedAt = performance.now();
  let turn = 0;
  for (const mark of [1, Math.round(seconds / 2), seconds]) {
    while (performance.now() - startedAt < mark * 1000) {
      for (let count = 0; count < PER_TURN; count += 1) {
        client.jobEvent(`job_${turn}`, 'job.progress_updated', typicalData(count));
      }
      turn += 1;
      await sleep(Math.max(0, turn * TURN_MS - (performance.now() - startedAt)));
    }
    note(`${mark} s`);
  }
  process.send(rows);
  await client.close(10);
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  await load(Number(process.argv[2]));
  process.disconnect();
}
