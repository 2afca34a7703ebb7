export type { JobIdentity, JobLike, QueueEventsLike, WorkerLike } from './shapes.js';
export type { Observer } from './listening.js';
export { type QueueObserverOptions, observeQueue } from './observe_queue.js';
export { type WorkerObserverOptions, observeWorker } from './observe_worker.js';
