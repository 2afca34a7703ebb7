import { EventClient } from '@emp/events';
import { recordEvents } from '@emp/events/testing';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { order } from './orders.js';

let recorded: ReturnType<typeof recordEvents>;
beforeEach(() => {
  recorded = recordEvents();
});
afterEach(() => recorded.stop());

test('an order is told', async () => {
  await order('job_1');
  expect(recorded.types).toEqual(['job.created']);
  expect(recorded.all[0]).toMatchObject({ service: 'api-server', jobId: 'job_1', data: { jobType: 'order' } });
});

test('events go to a Redis where that is asked for, whatever the clock does', async () => {
  recorded.stop();
  // node-redis writes by `setImmediate`.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
  const client = new EventClient('vitest', { enabled: true });
  await client.event('package.tried');
  expect(await client.close(240_000)).toBe(true);
  vi.useRealTimers();
});
