import { Breaker } from './breaker.js';
import { now, uptimeMs } from './clock.js';
import type { Counters } from './counters.js';
import { Flushes } from './flushes.js';
import { Ledger } from './ledger.js';
import { MemoryWatch } from './memory.js';
import { newTransport } from './new_transport.js';
import { type BatchOutcome, sortOutcome } from './outcome.js';
import { Problems } from './problems.js';
import { EventQueue } from './queue.js';
import type { Settings } from './settings.js';
import type { Sink } from './sink.js';
import { Spool, type SpoolOutcome } from './spool.js';
import type { Transport } from './transport.js';
import type { PendingEvent } from './types.js';
import { Wake } from './wake.js';
import { addCommand } from './wire.js';

const BATCH_EVENTS_MAX = 500;

/** While the circuit is open the spool takes events from a queue this full, until it is less so. */
const SPOOL_FROM = 0.75;
const SPOOL_UNTIL = 0.5;

/** Takes events from the queue to Redis, or to the spool, in the background. */
export class Sender implements Sink {
  readonly #service: string;
  readonly #settings: Settings;
  readonly #counters: Counters;
  readonly #queue: EventQueue;
  readonly #breaker = new Breaker();
  readonly #memory = new MemoryWatch();
  readonly #flushes = new Flushes();
  readonly #ledger: Ledger;
  readonly #problems: Problems;
  readonly #spool: Spool | undefined;
  readonly #onWorking: () => void;
  #transport: Transport | undefined;
  readonly #wake = new Wake(() => this.#startNow());
  #running = false;
  #relieving = false;
  #closed = false;
  /** Events that Redis has been sent, and has not answered. */
  #underWay: PendingEvent[] | undefined;
  /** Events on their way to the spool. */
  #beingSpooled = 0;

  /** `onWorking` is called after each batch that Redis has taken whole. */
  constructor(service: string, settings: Settings, counters: Counters, onWorking: () => void) {
    this.#service = service;
    this.#settings = settings;
    this.#counters = counters;
    this.#ledger = new Ledger(counters, this.#flushes);
    this.#onWorking = onWorking;
    this.#queue = new EventQueue(settings.maxQueueEvents, settings.maxQueueBytes);
    this.#problems = new Problems(settings.onProblem);
    settings.complaints.forEach((complaint) => this.#problems.reportNow(complaint));
    const settled = (fate: SpoolOutcome, count: number): void => {
      this.#beingSpooled -= count;
      this.#ledger.settled(fate, count);
    };
    this.#spool = settings.spool && new Spool(settings.spool, service, settled);
  }

  /** Events that wait or are under way. */
  get queued(): number {
    return this.#queue.length + (this.#underWay?.length ?? 0) + this.#beingSpooled;
  }

  /** Is Redis taken to be out of reach? */
  get circuitOpen(): boolean {
    return this.#breaker.open;
  }

  /** Queues an event; it is dropped, and counted, where there is no room. */
  add(event: PendingEvent): void {
    if (this.#queue.push(event)) {
      this.#flushes.entered();
    } else {
      this.#counters.drop(this.#breaker.open ? 'circuit_open' : 'queue_full', 1, now());
    }
    if (this.#closed) {
      // The process is ending, and an exit handler of the application's has emitted it.
      this.end();
    } else if (!this.#wake.isSet && !this.#running) {
      this.#schedule();
    }
    if (this.#spool && this.#breaker.open && this.#queue.fill >= SPOOL_FROM) {
      void this.#relieveQueue(this.#spool);
    }
  }

  /** Resolves with whether everything queued was sent within the time. */
  flush(timeoutMs: number, isPatient = true): Promise<boolean> {
    const flushed = this.#flushes.wait(timeoutMs, isPatient);
    if (this.#flushes.anyWaiting) {
      this.#breaker.hurry();
      this.#startNow();
    }
    return flushed;
  }

  /** Gives up the connection. What is still queued goes to the spool, or is dropped; all of it is counted then. */
  async close(): Promise<void> {
    this.#stop();
    this.#putAway();
    await this.#spool?.close();
  }

  /** The last moment of the process: as `close`, without another turn of the event loop. */
  end(): void {
    this.#stop();
    if (!this.#spool && this.#queue.length > 0) {
      this.#problems.reportNow(`the process ended with ${this.#queue.length} events unsent, and there is no spool`);
    }
    this.#putAway();
    this.#spool?.writeNow();
  }

  /** What is queued goes to the spool, or is dropped. */
  #putAway(): void {
    while (this.#spool && this.#queue.length > 0) {
      void this.#toSpool(this.#spool);
    }
    this.#ledger.settled('closed', this.#queue.take(Infinity).length);
  }

  #stop(): void {
    this.#closed = true;
    this.#wake.end();
    const unanswered = this.#underWay?.length ?? 0;
    this.#underWay = undefined;
    this.#ledger.settled('unanswered', unanswered);
    this.#transport?.close();
  }

  #schedule(): void {
    if (this.#queue.length > 0 && !this.#running && !this.#wake.isSet) {
      this.#wake.set(this.#breaker.waitMs(uptimeMs()));
    }
  }

  #startNow(): void {
    this.#wake.done();
    if (!this.#running && !this.#closed && this.#queue.length > 0) {
      this.#running = true;
      void this.#run();
    }
  }

  /** Sends batches while there are full ones, or while somebody waits. Never rejects. */
  async #run(): Promise<void> {
    do {
      try {
        await this.#attempt();
      } catch (error) {
        this.#failed(error instanceof Error ? error.message : String(error));
      }
    } while (this.#shouldGoOn());
    this.#running = false;
    if (this.#closed) {
      // It may have been opened after the end.
      this.#transport?.close();
    } else {
      this.#schedule();
    }
  }

  #shouldGoOn(): boolean {
    const worthIt = this.#queue.length >= BATCH_EVENTS_MAX || (this.#queue.length > 0 && this.#flushes.anyWaiting);
    return !this.#closed && worthIt && this.#breaker.waitMs(uptimeMs()) === 0;
  }

  async #attempt(): Promise<void> {
    if (this.#spool && this.#memory.short && !this.#memory.due) {
      await this.#toSpool(this.#spool);
      return;
    }
    this.#transport ??= await newTransport(this.#settings);
    await this.#transport.open();
    // Asked apart from the events, and only where there is a spool to turn to.
    if (!this.#spool || !(await this.#memory.isShort(this.#transport))) {
      await this.#sendBatch(this.#transport);
    }
  }

  async #sendBatch(transport: Transport): Promise<void> {
    const batch = this.#queue.take(BATCH_EVENTS_MAX);
    if (batch.length === 0) {
      return;
    }
    this.#underWay = batch;
    const commands = batch.map((event) => addCommand(this.#service, event, this.#settings.stream));
    const answers = await transport.send(commands);
    // Else the client was closed meanwhile, and they are counted.
    if (this.#underWay === batch) {
      this.#underWay = undefined;
      await this.#settle(sortOutcome(batch, answers), transport);
    }
  }

  async #settle(outcome: BatchOutcome, transport: Transport): Promise<void> {
    this.#ledger.settled('sent', outcome.sent);
    this.#ledger.settled('unanswered', outcome.unanswered);
    this.#ledger.settled('refused', outcome.refused);
    if (outcome.outOfMemory && this.#spool) {
      // Redis answers, and the spool takes the events: the circuit stays as it is.
      this.#memory.refused();
      await this.#toSpool(this.#spool, outcome.later);
      return;
    }
    this.#queue.putBack(outcome.later);
    if (outcome.unanswered > 0 || outcome.refusal !== undefined) {
      // Another connection may lead to another server, after a failover.
      transport.close();
      this.#failed(outcome.refusal ?? 'Redis does not answer');
    } else {
      this.#breaker.succeeded();
      this.#onWorking();
    }
  }

  #failed(message: string): void {
    if (!this.#closed) {
      this.#breaker.failed(uptimeMs());
      this.#problems.report(message);
    }
    if (this.#breaker.open) {
      this.#flushes.away();
    }
  }

  async #relieveQueue(spool: Spool): Promise<void> {
    if (this.#relieving) {
      return;
    }
    this.#relieving = true;
    while (!this.#closed && this.#breaker.open && this.#queue.fill > SPOOL_UNTIL) {
      await this.#toSpool(spool);
    }
    this.#relieving = false;
  }

  async #toSpool(spool: Spool, events = this.#queue.take(Infinity, spool.writeBytesMax)): Promise<void> {
    if (events.length > 0) {
      this.#beingSpooled += events.length;
      await spool.write(events);
    }
  }
}
