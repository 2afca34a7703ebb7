import { EventClient } from './client.js';

export { BoundClient } from './bound_client.js';
export { EventClient } from './client.js';
export { TELEMETRY_CONFIG } from './config.js';
export type { ApplicationRedis, IoredisLike, NodeRedisLike } from './execute.js';
export type { EventClientOptions } from './settings.js';
export { startTimer, type Timer } from './timer.js';
export { currentTraceId, type HeaderSource, newTraceId, runWithTrace, traceFromHeaders, traceparent } from './trace.js';
export type { DropReason, EventContext, EventData, Ids, Level, Stats } from './types.js';
export type { JobEventType, KnownEventType, QueueEventType, WebhookEventType, WorkerEventType } from './vocabulary.js';

/** The API server's events. */
export const apiTelemetry = new EventClient('api-server');
/** The events of workers. */
export const workerTelemetry = new EventClient('worker');
/** The events of machines. */
export const machineTelemetry = new EventClient('machine');
/** The webhook service's events. */
export const webhookTelemetry = new EventClient('webhook-service');
/** The monitor's events. */
export const monitorTelemetry = new EventClient('monitor');
