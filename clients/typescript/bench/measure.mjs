// What the parts of the benchmark share.
import { RedisServer } from '../tests/redis.mjs';

/** Runs a function with a scope: what is started in it ends with it. */
export async function withScope(run) {
  const cleanUps = [];
  try {
    return await run({ after: (cleanUp) => cleanUps.push(cleanUp) });
  } finally {
    for (const cleanUp of cleanUps.reverse()) {
      await cleanUp();
    }
  }
}

/** Runs a function with a Redis server of its own. */
export function withRedis(run) {
  return withScope(async (scope) => run(await RedisServer.start(scope)));
}

/** The value below which a share of the samples lies. */
export function percentile(samples, share) {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export function median(values) {
  return percentile(values, 0.5);
}

/** A Markdown table. */
export function table(title, headings, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [`### ${title}`, '', line(headings), line(headings.map(() => '---')), ...rows.map(line), ''].join('\n');
}

export function micros(ns) {
  return (ns / 1000).toFixed(2);
}

/** What most events carry. */
export function typicalData(index) {
  return { connectorType: 'comfyui', workerId: 'worker-gpu01-2', progress: index % 100, queueName: 'default', retry: false };
}
