// Started by process.test.mjs as a worker thread and as a process of a cluster.
import cluster from 'node:cluster';
import { EventClient } from '@emp/events';

const client = new EventClient('many', { connectTimeoutMs: 240_000, answerTimeoutMs: 240_000 });
client.event('part.ran', { pid: process.pid });
await client.close(240_000);
cluster.worker?.disconnect();
