// A process that observes a queue, started by bullmq.test.mjs: says how much it has told, and ends when it is told to.
import { EventClient } from '@emp/events';
import { observeQueue } from '@emp/events/bullmq';
import { QueueEvents } from 'bullmq';

const [queueName, port] = process.argv.slice(2);
const client = new EventClient('bullmq');
// From the beginning: what happened before this process was there, too.
const queueEvents = new QueueEvents(queueName, { connection: { port: Number(port) }, lastEventId: '0-0' });
const observer = observeQueue(queueEvents, { client });

process.on('message', async (message) => {
  if (message === 'count') {
    process.send(client.stats().emitted);
  } else {
    await observer.stop();
    await client.close();
    await queueEvents.close();
    process.disconnect();
  }
});
process.send('ready');
