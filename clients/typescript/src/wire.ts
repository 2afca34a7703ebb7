import { addOnceCommand } from './once.js';
import type { PendingEvent } from './types.js';

/** The fields of the stream entry, name after value, in the order that every client keeps. */
export function entryFields(service: string, event: PendingEvent): string[] {
  const fields = ['timestamp', String(event.timestamp), 'service', service, 'eventType', event.type];
  appendId(fields, 'traceId', event.traceId);
  appendId(fields, 'jobId', event.jobId);
  appendId(fields, 'workerId', event.workerId);
  appendId(fields, 'machineId', event.machineId);
  appendId(fields, 'userId', event.userId);
  fields.push('level', event.level, 'data', event.data);
  return fields;
}

function appendId(fields: string[], name: string, id: string | undefined): void {
  if (id !== undefined) {
    fields.push(name, id);
  }
}

/** The command that adds an event to the stream. */
export function addCommand(service: string, event: PendingEvent, stream: StreamSettings): string[] {
  const fields = entryFields(service, event);
  if (event.once !== undefined) {
    return addOnceCommand(event.once, fields, stream);
  }
  return ['XADD', stream.name, 'MAXLEN', '~', String(stream.maxLength), '*', ...fields];
}

/** Where events go. */
export interface StreamSettings {
  name: string;
  maxLength: number;
}

/** An event as a line of the spool. `data` is JSON already. */
export function spoolLine(service: string, event: PendingEvent, uid: string, spooledAt: number): string {
  const head = JSON.stringify({
    uid,
    spooledAt,
    timestamp: event.timestamp,
    service,
    eventType: event.type,
    traceId: event.traceId,
    jobId: event.jobId,
    workerId: event.workerId,
    machineId: event.machineId,
    userId: event.userId,
    level: event.level,
  });
  return `${head.slice(0, -1)},"data":${event.data}}\n`;
}
