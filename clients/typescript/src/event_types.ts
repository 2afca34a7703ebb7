import { TokenBucket } from './bucket.js';
import { defaultLevel } from './level.js';
import { SampleRates } from './sampling.js';
import type { Level } from './types.js';

/** A service that makes up names without end must not grow this table without end. */
const TYPES_MAX = 1_000;

/** What is worked out once for a type of event. */
export interface EventType {
  level: Level;
  /** `undefined`: all are kept. */
  sampleRate: number | undefined;
  /** `undefined`: no limit. */
  bucket: TokenBucket | undefined;
  /** Errors have their own, so that a flood of the ordinary ones does not hide them. */
  errorBucket: TokenBucket | undefined;
}

/** The limits that all types share. */
export interface TypeLimits {
  sample: Record<string, number>;
  ratePerSecond: number;
  rateBurst: number;
}

/** The types of events met so far. */
export class EventTypes {
  readonly #limits: TypeLimits;
  readonly #rates: SampleRates;
  readonly #types = new Map<string, EventType>();

  constructor(limits: TypeLimits) {
    this.#limits = limits;
    this.#rates = new SampleRates(limits.sample);
  }

  of(type: string, nowMs: number): EventType {
    return this.#types.get(type) ?? this.#add(type, nowMs);
  }

  #add(type: string, nowMs: number): EventType {
    if (this.#types.size >= TYPES_MAX) {
      this.#types.clear();
    }
    const added: EventType = {
      level: defaultLevel(type),
      sampleRate: this.#rates.rateOf(type),
      bucket: this.#newBucket(nowMs),
      errorBucket: this.#newBucket(nowMs),
    };
    this.#types.set(type, added);
    return added;
  }

  #newBucket(nowMs: number): TokenBucket | undefined {
    const { ratePerSecond, rateBurst } = this.#limits;
    return ratePerSecond > 0 ? new TokenBucket(ratePerSecond, rateBurst, nowMs) : undefined;
  }
}
