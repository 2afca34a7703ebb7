import { EventClient, type KnownEventType } from '@emp/events';
import { type Observer, observeQueue } from '@emp/events/bullmq';
import { type RecordedEvent, recordEvents } from '@emp/events/testing';

const type: KnownEventType = 'job.completed';
const recorded = recordEvents();
void new EventClient('recorded').jobEvent('job_1', type, { durationMs: 7 });
recorded.stop();
const events: readonly RecordedEvent[] = recorded.all;
const observe: (...given: Parameters<typeof observeQueue>) => Observer = observeQueue;

const client = new EventClient('bundler');
void client.event('package.tried', { observe: typeof observe, recorded: events.map((event) => event.type) });
void client.close(240_000).then((sent: boolean) => {
  process.exitCode = sent ? 0 : 1;
});
