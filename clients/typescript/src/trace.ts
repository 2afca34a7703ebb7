import { AsyncLocalStorage } from 'node:async_hooks';
import { randomHex } from './random.js';

/** Shared by the two builds of this package, should an application load both. */
const STORAGE_KEY = Symbol.for('emp.events.trace');

const shared = globalThis as { [STORAGE_KEY]?: AsyncLocalStorage<string> };
const storage = (shared[STORAGE_KEY] ??= new AsyncLocalStorage<string>());

const TRACE_ID = /^[0-9a-f]{32}$/;
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/;
const ALL_ZERO = /^0+$/;

/** A new trace id: 32 lower-case hexadecimal digits, not all zero. */
export function newTraceId(): string {
  const id = randomHex(16);
  return ALL_ZERO.test(id) ? newTraceId() : id;
}

/** The trace id of the code that runs now, where there is one. */
export function currentTraceId(): string | undefined {
  return storage.getStore();
}

/**
 * Runs a function, and whatever it starts, within a trace: every event in there carries its id.
 *
 * @param trace a trace id, a `traceparent` header, or nothing for a new trace
 */
export function runWithTrace<T>(trace: string | undefined, run: () => T): T {
  const traceId = (trace && (traceIdOf(trace) ?? trace)) || newTraceId();
  return storage.run(traceId, run);
}

/** A W3C `traceparent` header for the current trace, or for a new one outside of any. */
export function traceparent(traceId: string | undefined = currentTraceId()): string {
  const hex = traceId?.toLowerCase().replaceAll('-', '') ?? '';
  // A trace id of a producer's own making has no form in this header.
  const valid = TRACE_ID.test(hex) && !ALL_ZERO.test(hex);
  return `00-${valid ? hex : newTraceId()}-${newSpanId()}-01`;
}

/** Headers as Node, `fetch` or a plain object holds them. */
export type HeaderSource = { get(name: string): string | null | undefined } | Record<string, unknown>;

/** The trace id in the `traceparent` of a request's headers, where there is a valid one. */
export function traceFromHeaders(headers: HeaderSource | null | undefined): string | undefined {
  const header = readHeader(headers, 'traceparent');
  return header === undefined ? undefined : traceIdOf(header);
}

function readHeader(headers: HeaderSource | null | undefined, name: string): string | undefined {
  if (!headers) {
    return undefined;
  }
  if (typeof headers['get'] === 'function') {
    return text(headers['get'](name));
  }
  const key = Object.keys(headers).find((candidate) => candidate.toLowerCase() === name);
  return key === undefined ? undefined : text((headers as Record<string, unknown>)[key]);
}

function text(value: unknown): string | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === 'string' ? first : undefined;
}

function traceIdOf(header: string): string | undefined {
  const [, version, traceId, spanId] = TRACEPARENT.exec(header.trim()) ?? [];
  if (!traceId || !spanId || version === 'ff' || ALL_ZERO.test(traceId) || ALL_ZERO.test(spanId)) {
    return undefined;
  }
  return traceId;
}

function newSpanId(): string {
  const id = randomHex(8);
  return ALL_ZERO.test(id) ? newSpanId() : id;
}
