import { EventClient } from '@emp/events';

const client = new EventClient(process.env.SERVICE);
client.event('package.tried');
client.close(240_000).then((sent) => {
  process.exitCode = sent ? 0 : 1;
});
