import { clearTimer, now, setTimer, uptimeMs } from './clock.js';
import { Counters } from './counters.js';
import { dataText } from './data.js';
import { EventTypes } from './event_types.js';
import { parseLevel, rank } from './level.js';
import { Lifecycle } from './lifecycle.js';
import { Redactor } from './redact.js';
import { sampleFraction } from './sampling.js';
import type { Settings } from './settings.js';
import type { Sink } from './sink.js';
import { StatsReport } from './stats_report.js';
import { cutString } from './text.js';
import { currentTraceId } from './trace.js';
import type { EventContext, Ids, Level, PendingEvent, Stats } from './types.js';

/** What an event takes in memory beyond its texts, roughly. */
const EVENT_OVERHEAD_BYTES = 200;

/** Losses are reported at most this often. */
const REPORT_EVERY_MS = 10_000;

const REPORT_TYPE = 'telemetry.dropped';
const STATS_TYPE = 'telemetry.stats';

/** Ids that a method takes as parameters of their own. They win over all others. */
export type GivenIds = Pick<Ids, 'jobId' | 'workerId' | 'machineId'>;

/** Makes what takes a pipeline's events; `onWorking` is to be called after each batch that was taken whole. */
export type NewSink = (counters: Counters, onWorking: () => void) => Sink;

/** Everything between a call and the queue. */
export class Pipeline {
  readonly #settings: Settings;
  readonly #counters = new Counters();
  readonly #types: EventTypes;
  readonly #redactor: Redactor;
  readonly #rankMin: number;
  readonly #sink: Sink;
  readonly #statsReport: StatsReport | undefined;
  #reportedAt = -Infinity;
  #reportTimer: NodeJS.Timeout | undefined;
  #closing: Promise<boolean> | undefined;

  constructor(settings: Settings, newSink: NewSink) {
    this.#settings = settings;
    this.#types = new EventTypes(settings.limits);
    this.#redactor = new Redactor(settings.redactKeys);
    this.#rankMin = rank(settings.level);
    this.#sink = newSink(this.#counters, () => this.#reportDrops());
    // Below the threshold they are left out, as any other event is.
    if (settings.statsEveryMs > 0 && this.#rankMin <= rank('info')) {
      const tell = (data: object): void => this.#addOwn(STATS_TYPE, 'info', now(), data);
      this.#statsReport = new StatsReport(this.#counters, settings.statsEveryMs, () => this.#sink.queued, tell);
    }
  }

  get handlesSignals(): boolean {
    return this.#settings.handleSignals;
  }

  get stats(): Stats {
    return this.#counters.stats(this.#sink.queued);
  }

  /** Takes an event. Never throws. */
  emit(type: unknown, data: unknown, context: EventContext | undefined, bound: Ids, given: GivenIds | undefined): void {
    const begun = this.#statsReport?.begin();
    this.#counters.emitted += 1;
    const nowMs = now();
    try {
      this.#accept(type, data, context, bound, given, nowMs);
    } catch {
      // Only what the application passed in can fail here, as a name that cannot be made text.
      this.#counters.drop('refused', 1, nowMs);
    }
    this.#statsReport?.end(begun);
  }

  flush(timeoutMs: number): Promise<boolean> {
    return this.#sink.flush(timeoutMs);
  }

  /** Sends what is queued, within the time, and ends. */
  close(timeoutMs: number): Promise<boolean> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  /** The process is about to end: sends what is queued, unless Redis turns out to be away. */
  async hurry(): Promise<void> {
    if (!this.#sink.circuitOpen) {
      await this.#sink.flush(this.#settings.exitTimeoutMs, false);
    }
  }

  /** The process has nothing more to do. */
  async finish(): Promise<void> {
    await this.close(this.#settings.exitTimeoutMs);
  }

  /** The process ends now: all that is left goes to the spool, or is counted as dropped. */
  end(): void {
    this.#statsReport?.stop();
    this.#sink.end();
  }

  async #close(timeoutMs: number): Promise<boolean> {
    clearTimer(this.#reportTimer);
    this.#statsReport?.stop();
    if (this.#counters.hasUnreported) {
      this.#addReport();
    }
    const sent = await this.#sink.flush(timeoutMs);
    await this.#sink.close();
    Lifecycle.shared.remove(this);
    return sent;
  }

  #accept(
    typeGiven: unknown,
    data: unknown,
    context: EventContext | undefined,
    bound: Ids,
    given: GivenIds | undefined,
    nowMs: number,
  ): void {
    const counters = this.#counters;
    if (this.#closing) {
      counters.drop('closed', 1, nowMs);
      return;
    }
    const type = typeof typeGiven === 'string' && typeGiven !== '' ? cutString(typeGiven) : nameOf(typeGiven);
    const known = this.#types.of(type, nowMs);
    const level = parseLevel(context?.level) ?? known.level;
    const traceId = idText(context?.traceId) ?? idText(bound.traceId) ?? currentTraceId();
    const jobId = idText(given?.jobId) ?? idText(context?.jobId) ?? idText(bound.jobId);
    const isError = level === 'error';
    const sampleRate = isError ? undefined : known.sampleRate;
    if (rank(level) < this.#rankMin || (sampleRate !== undefined && !isKept(traceId ?? jobId, sampleRate))) {
      counters.sampled += 1;
      return;
    }
    const bucket = isError ? known.errorBucket : known.bucket;
    if (bucket && !bucket.take(nowMs)) {
      counters.drop('rate_limited', 1, nowMs);
      return;
    }
    const text = dataText(data, this.#redactor, this.#settings.maxEventBytes, sampleRate);
    if (text === undefined) {
      counters.drop('too_large', 1, nowMs);
      return;
    }
    this.#enqueue(
      {
        timestamp: timestampOf(context, nowMs),
        type,
        traceId,
        jobId,
        workerId: idText(given?.workerId) ?? idText(context?.workerId) ?? idText(bound.workerId),
        machineId: idText(given?.machineId) ?? idText(context?.machineId) ?? idText(bound.machineId),
        userId: idText(context?.userId) ?? idText(bound.userId),
        level,
        once: idText(context?.once),
        data: text,
        bytes: 0,
      },
    );
  }

  #enqueue(event: PendingEvent): void {
    event.bytes = EVENT_OVERHEAD_BYTES + event.type.length + Buffer.byteLength(event.data);
    this.#sink.add(event);
  }

  /** Redis works: tells it what was lost while it, or this client, did not. */
  #reportDrops(): void {
    if (!this.#counters.hasUnreported || this.#closing || this.#reportTimer !== undefined) {
      return;
    }
    const waitMs = this.#reportedAt + REPORT_EVERY_MS - uptimeMs();
    if (waitMs <= 0) {
      this.#addReport();
      return;
    }
    const timer = setTimer(() => {
      this.#reportTimer = undefined;
      if (!this.#sink.circuitOpen) {
        this.#addReport();
      }
    }, waitMs);
    this.#reportTimer = timer.unref();
  }

  #addReport(): void {
    const nowMs = now();
    this.#reportedAt = uptimeMs();
    this.#addOwn(REPORT_TYPE, 'warn', nowMs, this.#counters.takeReport(nowMs));
  }

  /** An event of the client's own. */
  #addOwn(type: string, level: Level, nowMs: number, data: object): void {
    this.#counters.emitted += 1;
    this.#enqueue(
      {
        timestamp: nowMs,
        type,
        traceId: undefined,
        jobId: undefined,
        workerId: undefined,
        machineId: undefined,
        userId: undefined,
        level,
        once: undefined,
        data: JSON.stringify(data),
        bytes: 0,
      },
    );
  }
}

/** Any type that is no text: an event of an odd name is of more use than none. */
function nameOf(type: unknown): string {
  const name = type === undefined || type === null ? '' : cutString(String(type));
  return name === '' ? 'unnamed' : name;
}

/** An id as text; `undefined` where there is none. */
function idText(id: unknown): string | undefined {
  if (typeof id === 'string') {
    return id === '' ? undefined : cutString(id);
  }
  return typeof id === 'number' || typeof id === 'bigint' ? String(id) : undefined;
}

function isKept(key: string | undefined, rate: number): boolean {
  return (key === undefined ? Math.random() : sampleFraction(key)) < rate;
}

function timestampOf(context: EventContext | undefined, nowMs: number): number {
  const given = context?.timestamp;
  return typeof given === 'number' && Number.isFinite(given) ? Math.trunc(given) : nowMs;
}
