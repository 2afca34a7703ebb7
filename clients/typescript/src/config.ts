/** How the stream is kept. */
export const TELEMETRY_CONFIG = {
  streamName: 'emp:events',
  /** The stream keeps about this many events. */
  maxLength: 10_000,
  /** For how long events are meant to stay readable in Redis, in ms. */
  retention: 24 * 60 * 60 * 1000,
  trimStrategy: 'MAXLEN',
} as const;
