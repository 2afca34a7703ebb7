import { EventClient } from '@emp/events';
import { observeWorker } from '@emp/events/bullmq';
import { recordEvents } from '@emp/events/testing';

const client = new EventClient('esm');
await client.event('package.tried', { kinds: [observeWorker, recordEvents].map((kind) => typeof kind) });
process.exitCode = (await client.close(240_000)) ? 0 : 1;
