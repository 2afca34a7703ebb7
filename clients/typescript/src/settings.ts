import type { ConnectionOptions } from 'node:tls';
import { TELEMETRY_CONFIG } from './config.js';
import { Environment } from './environment.js';
import type { TypeLimits } from './event_types.js';
import type { ApplicationRedis } from './execute.js';
import { parseLevel } from './level.js';
import { parseSampleRates } from './sampling.js';
import type { SpoolLimits } from './spool.js';
import type { Timeouts } from './transport.js';
import type { Level } from './types.js';
import type { StreamSettings } from './wire.js';

/** Everything about a client that can be set. Nothing has to be. */
export interface EventClientOptions {
  /** Where Redis is. Default: `REDIS_URL`, else `REDIS_HOST` and `REDIS_PORT`, else this machine. */
  url?: string;
  /** The application's own ioredis or node-redis client, to be used instead of a connection. */
  redis?: ApplicationRedis;
  /** TLS settings for `rediss://`, as `tls.connect` takes them. */
  tls?: ConnectionOptions;
  /** Default: `EMP_EVENTS_STREAM`, else `emp:events`. */
  stream?: string;
  /** About how many events the stream keeps. Default: 10,000. */
  maxLength?: number;
  /** `false`: every call does nothing. Default: `TELEMETRY_ENABLED`, else true but for test runners. */
  enabled?: boolean;
  /** Events below are left out. Default: `EMP_EVENTS_LEVEL`, else `debug`. */
  level?: Level;
  /** Share to keep by type: `{'job.progress_updated': 0.1, 'websocket.*': 0.5}`. Default: `EMP_EVENTS_SAMPLE`. */
  sample?: Record<string, number>;
  /** Events a second of one type; 0: no limit. Default: 1,000. */
  ratePerSecond?: number;
  /** Events of one type at once. Default: 2,000. */
  rateBurst?: number;
  /** Default: 10,000. */
  maxQueueEvents?: number;
  /** Default: 8 MiB. */
  maxQueueBytes?: number;
  /** Bytes of one event's data. Default: 16 KiB. */
  maxEventBytes?: number;
  /** Further keys whose values are secret. */
  redactKeys?: string[];
  /** Folder of the spool. Default: `EMP_EVENTS_SPOOL`, else there is none. */
  spoolDir?: string;
  /** Bytes of one file of the spool. Default: 16 MiB. */
  maxSpoolFileBytes?: number;
  /** Bytes of all files in the spool's folder together. Default: 128 MiB. */
  maxSpoolBytes?: number;
  /** Default: 2,000 ms. */
  connectTimeoutMs?: number;
  /** Default: 5,000 ms. */
  answerTimeoutMs?: number;
  /** How long the process may live on to send what is queued, once it or a signal would end it. Default: 2,000 ms. */
  exitTimeoutMs?: number;
  /**
   * How often an event `telemetry.stats` tells what became of the others; 0: never. Default: once a minute,
   * unless `EMP_EVENTS_STATS` is off.
   */
  statsEveryMs?: number;
  /**
   * Whether SIGTERM and SIGINT send what is queued. Where the application handles the signal
   * itself, it ends the process; else the signal does, as soon as the events are away. Default: true.
   */
  handleSignals?: boolean;
  /** Told of trouble with Redis, at most once a minute. `'stderr'` writes it there. */
  onProblem?: 'stderr' | ((message: string) => void);
}

/** The options with the environment and the defaults filled in. */
export interface Settings {
  enabled: boolean;
  url: string;
  redis: ApplicationRedis | undefined;
  tls: ConnectionOptions;
  stream: StreamSettings;
  level: Level;
  limits: TypeLimits;
  maxQueueEvents: number;
  maxQueueBytes: number;
  maxEventBytes: number;
  redactKeys: string[];
  spool: SpoolLimits | undefined;
  timeouts: Timeouts;
  exitTimeoutMs: number;
  statsEveryMs: number;
  handleSignals: boolean;
  onProblem: ((message: string) => void) | undefined;
  /** Of the environment's variables that say what is not understood. */
  complaints: string[];
}

/** Fills in what the options leave open. Never throws: a bad number or level gives the default. */
export function resolveSettings(options: EventClientOptions, variables: NodeJS.ProcessEnv): Settings {
  const complaints: string[] = [];
  const env = new Environment(variables, (complaint) => complaints.push(complaint));
  return {
    enabled: options.enabled ?? env.flag('TELEMETRY_ENABLED') ?? !env.isTest,
    url: options.url || env.redisUrl(),
    redis: options.redis,
    tls: options.tls ?? {},
    stream: {
      name: options.stream || env.text('EMP_EVENTS_STREAM') || TELEMETRY_CONFIG.streamName,
      maxLength: positive(options.maxLength, TELEMETRY_CONFIG.maxLength),
    },
    level: parseLevel(options.level) ?? env.level('EMP_EVENTS_LEVEL') ?? 'debug',
    limits: {
      sample: options.sample ?? parseSampleRates(env.text('EMP_EVENTS_SAMPLE') ?? ''),
      ratePerSecond: options.ratePerSecond === 0 ? 0 : positive(options.ratePerSecond, 1_000),
      rateBurst: positive(options.rateBurst, 2_000),
    },
    maxQueueEvents: positive(options.maxQueueEvents, 10_000),
    maxQueueBytes: positive(options.maxQueueBytes, 8 * 1024 * 1024),
    maxEventBytes: positive(options.maxEventBytes, 16 * 1024),
    redactKeys: options.redactKeys ?? [],
    spool: spoolLimits(options, env),
    timeouts: {
      connectMs: positive(options.connectTimeoutMs, 2_000),
      answerMs: positive(options.answerTimeoutMs, 5_000),
    },
    exitTimeoutMs: positive(options.exitTimeoutMs, 2_000),
    statsEveryMs: options.statsEveryMs ?? (env.flag('EMP_EVENTS_STATS') === false ? 0 : 60_000),
    handleSignals: options.handleSignals ?? true,
    onProblem: options.onProblem === 'stderr' ? writeToStderr : options.onProblem,
    complaints,
  };
}

function spoolLimits(options: EventClientOptions, env: Environment): SpoolLimits | undefined {
  const folder = options.spoolDir || env.text('EMP_EVENTS_SPOOL');
  if (!folder) {
    return undefined;
  }
  return {
    folder,
    fileBytesMax: positive(options.maxSpoolFileBytes, 16 * 1024 * 1024),
    bytesMax: positive(options.maxSpoolBytes, 128 * 1024 * 1024),
  };
}

function positive(value: number | undefined, fallback: number): number {
  return value !== undefined && value > 0 ? value : fallback;
}

function writeToStderr(message: string): void {
  process.stderr.write(`emp-events: ${message}\n`);
}
