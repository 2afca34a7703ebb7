import type { PendingEvent } from './types.js';

/** The used-up front of the array is cut off once it is this long. */
const HEAD_MAX = 1_024;

/** Events in their order, bounded in number and in bytes. */
export class EventQueue {
  readonly #eventsMax: number;
  readonly #bytesMax: number;
  #items: PendingEvent[] = [];
  #head = 0;
  #bytes = 0;

  constructor(eventsMax: number, bytesMax: number) {
    this.#eventsMax = eventsMax;
    this.#bytesMax = bytesMax;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** How full it is, from 0 to 1. */
  get fill(): number {
    return Math.max(this.length / this.#eventsMax, this.#bytes / this.#bytesMax);
  }

  /** Adds an event; false where it is full. */
  push(event: PendingEvent): boolean {
    if (this.length >= this.#eventsMax || this.#bytes + event.bytes > this.#bytesMax) {
      return false;
    }
    this.#items.push(event);
    this.#bytes += event.bytes;
    return true;
  }

  /** Takes events from the front: so many at most, and one at least of however many bytes. */
  take(countMax: number, bytesMax = Infinity): PendingEvent[] {
    let count = 0;
    let bytes = 0;
    for (; count < Math.min(countMax, this.length); count += 1) {
      const next = this.#items[this.#head + count]?.bytes ?? 0;
      if (count > 0 && bytes + next > bytesMax) {
        break;
      }
      bytes += next;
    }
    const taken = this.#items.slice(this.#head, this.#head + count);
    this.#head += count;
    this.#bytes -= bytes;
    if (this.#head > HEAD_MAX || this.#head === this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return taken;
  }

  /** Puts events back at the front, past the bounds if need be: they were in here before. */
  putBack(events: PendingEvent[]): void {
    this.#items = events.concat(this.#items.slice(this.#head));
    this.#head = 0;
    for (const event of events) {
      this.#bytes += event.bytes;
    }
  }
}
