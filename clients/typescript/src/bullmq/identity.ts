import { traceFromHeaders } from '../trace.js';
import type { JobIdentity, JobLike } from './shapes.js';

/** BullMQ numbers the jobs of each queue from 1: with the queue's name an id is one job's alone. */
export function jobIdOf({ id, queueName }: JobIdentity): string {
  return `${queueName}:${id}`;
}

/** The trace that a job's data carries as `traceId`, or as a `traceparent` header. */
export function traceIdOf({ data }: JobLike): string | undefined {
  if (typeof data !== 'object' || data === null) {
    return undefined;
  }
  const { traceId, traceparent } = data as { traceId?: unknown; traceparent?: unknown };
  return typeof traceId === 'string' ? traceId : traceFromHeaders({ traceparent });
}
