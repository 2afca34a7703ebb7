const { EventClient } = require('@emp/events');
const { observeWorker } = require('@emp/events/bullmq');
const { recordEvents } = require('@emp/events/testing');

const client = new EventClient('cjs');
client.event('package.tried', { kinds: [observeWorker, recordEvents].map((kind) => typeof kind) });
client.close(60_000).then((sent) => {
  process.exitCode = sent ? 0 : 1;
});
