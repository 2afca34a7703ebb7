const { EventClient } = require('@emp/events');
const { recordEvents } = require('@emp/events/testing');
const { order } = require('./orders');

let recorded;
beforeEach(() => {
  recorded = recordEvents();
});
afterEach(() => recorded.stop());

test('an order is told', async () => {
  await order('job_1');
  expect(recorded.types).toEqual(['job.created']);
  expect(recorded.all[0]).toMatchObject({ service: 'api-server', jobId: 'job_1', data: { jobType: 'order' } });
});

test('events go to a Redis where that is asked for', async () => {
  recorded.stop();
  const client = new EventClient('jest', { enabled: true });
  await client.event('package.tried');
  expect(await client.close(240_000)).toBe(true);
});
