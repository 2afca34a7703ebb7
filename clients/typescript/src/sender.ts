import { parseAddress } from './address.js';
import { AppTransport } from './app_transport.js';
import { Breaker } from './breaker.js';
import type { Counters } from './counters.js';
import { Flushes } from './flushes.js';
import { MEMORY_QUESTION, MemoryWatch } from './memory.js';
import { type BatchOutcome, sortOutcome } from './outcome.js';
import { OwnTransport } from './own_transport.js';
import { Problems } from './problems.js';
import { EventQueue } from './queue.js';
import type { Settings } from './settings.js';
import { Spool } from './spool.js';
import type { Transport } from './transport.js';
import type { DropReason, PendingEvent } from './types.js';
import { addCommand } from './wire.js';

const BATCH_EVENTS_MAX = 500;

/** An event waits this long for others: each batch costs this process and Redis a wake-up or two, however small it is. */
const BATCH_DELAY_MS = 50;

/** Events written to the spool at once: more than are sent at once, since each write may wait for the disk. */
const SPOOL_EVENTS_MAX = 2_000;

/** While the circuit is open the spool takes events from a queue this full, until it is less so. */
const SPOOL_FROM = 0.75;
const SPOOL_UNTIL = 0.5;

/** Takes events from the queue to Redis, or to the spool, in the background. */
export class Sender {
  readonly #service: string;
  readonly #settings: Settings;
  readonly #counters: Counters;
  readonly #queue: EventQueue;
  readonly #breaker = new Breaker();
  readonly #memory = new MemoryWatch();
  readonly #flushes = new Flushes();
  readonly #problems: Problems;
  readonly #spool: Spool | undefined;
  readonly #onWorking: () => void;
  #transport: Transport | undefined;
  /** Wakes the sender a moment after an event, for as many as come until then. */
  #batchTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #scheduled = false;
  #running = false;
  #spooling = false;
  #closed = false;
  #underWay = 0;

  /** `onWorking` is called after each batch that Redis has taken whole. */
  constructor(service: string, settings: Settings, counters: Counters, onWorking: () => void) {
    this.#service = service;
    this.#settings = settings;
    this.#counters = counters;
    this.#onWorking = onWorking;
    this.#queue = new EventQueue(settings.maxQueueEvents, settings.maxQueueBytes);
    this.#problems = new Problems(settings.onProblem);
    this.#spool = settings.spool && new Spool(settings.spool, service);
  }

  /** Events that wait or are under way. */
  get queued(): number {
    return this.#queue.length + this.#underWay;
  }

  /** Is Redis taken to be out of reach? */
  get circuitOpen(): boolean {
    return this.#breaker.open;
  }

  /** Queues an event; it is dropped, and counted, where there is no room. */
  add(event: PendingEvent, nowMs: number): void {
    if (this.#queue.push(event)) {
      this.#flushes.entered();
    } else {
      this.#counters.drop(this.#breaker.open ? 'circuit_open' : 'queue_full', 1, nowMs);
    }
    if (!this.#scheduled && !this.#running) {
      this.#schedule();
    }
    if (this.#spool && this.#breaker.open && this.#queue.fill >= SPOOL_FROM) {
      void this.#relieveQueue(this.#spool);
    }
  }

  /** Resolves with whether everything queued was sent within the time. */
  flush(timeoutMs: number): Promise<boolean> {
    const flushed = this.#flushes.wait(timeoutMs);
    if (this.#flushes.anyWaiting) {
      this.#breaker.hurry();
      this.#startNow();
    }
    return flushed;
  }

  /** Gives up the connection; what is still queued goes to the spool, or is dropped. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#batchTimer);
    clearTimeout(this.#retryTimer);
    await this.#giveUp();
  }

  /** The last moment of the process: what is queued goes to the spool, if there is one. */
  spoolNow(): void {
    while (this.#spool && this.#queue.length > 0) {
      const batch = this.#queue.take(BATCH_EVENTS_MAX);
      this.#countSpooled(this.#spool.writeNow(batch), batch.length);
    }
  }

  #schedule(): void {
    if (this.#queue.length === 0 || this.#running || this.#scheduled) {
      return;
    }
    this.#scheduled = true;
    const waitMs = this.#breaker.waitMs(Date.now());
    if (waitMs > BATCH_DELAY_MS) {
      this.#retryTimer = setTimeout(() => this.#startNow(), waitMs).unref();
    } else if (this.#batchTimer) {
      // Making a new timer would cost the caller more than all the rest of the call.
      this.#batchTimer.refresh();
    } else {
      this.#batchTimer = setTimeout(() => this.#startNow(), BATCH_DELAY_MS).unref();
    }
  }

  #startNow(): void {
    clearTimeout(this.#retryTimer);
    this.#scheduled = false;
    if (!this.#running && this.#queue.length > 0) {
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
      // What was under way when the client was closed may have come back.
      await this.#giveUp();
    } else {
      this.#schedule();
    }
  }

  async #giveUp(): Promise<void> {
    this.#transport?.close();
    while (this.#spool && this.#queue.length > 0) {
      await this.#toSpool(this.#spool, this.#queue.take(BATCH_EVENTS_MAX));
    }
    this.#drop('closed', this.#queue.take(Infinity).length);
  }

  #shouldGoOn(): boolean {
    if (this.#closed) {
      return false;
    }
    const worthIt = this.#queue.length >= BATCH_EVENTS_MAX || (this.#queue.length > 0 && this.#flushes.anyWaiting);
    return worthIt && this.#breaker.waitMs(Date.now()) === 0;
  }

  async #attempt(): Promise<void> {
    if (this.#spool && this.#memory.short && !this.#memory.due(Date.now())) {
      await this.#toSpool(this.#spool, this.#queue.take(BATCH_EVENTS_MAX));
      return;
    }
    this.#transport ??= newTransport(this.#settings);
    await this.#transport.open();
    if (this.#spool && this.#memory.due(Date.now())) {
      await this.#askMemory(this.#transport);
    } else {
      await this.#sendBatch(this.#transport);
    }
  }

  /** Asked apart from the events, and only where there is a spool to turn to. */
  async #askMemory(transport: Transport): Promise<void> {
    const answer = await transport.ask(MEMORY_QUESTION);
    if (answer === undefined) {
      transport.close();
      this.#failed('Redis does not answer');
      return;
    }
    this.#memory.answered(answer, Date.now());
    if (!this.#memory.short) {
      await this.#sendBatch(transport);
    }
  }

  async #sendBatch(transport: Transport): Promise<void> {
    const batch = this.#queue.take(BATCH_EVENTS_MAX);
    this.#underWay += batch.length;
    const commands = batch.map((event) => addCommand(this.#service, event, this.#settings.stream));
    const outcome = sortOutcome(batch, await transport.send(commands));
    this.#underWay -= batch.length;
    this.#settle(outcome, transport);
    if (this.#spool && outcome.outOfMemory) {
      await this.#toSpool(this.#spool, outcome.later);
    }
  }

  #settle(outcome: BatchOutcome, transport: Transport): void {
    this.#counters.sent += outcome.sent;
    this.#flushes.left(outcome.sent, 0);
    this.#drop('unanswered', outcome.unanswered);
    this.#drop('refused', outcome.refused);
    if (outcome.outOfMemory && this.#spool) {
      // Redis answers, and the spool takes the events: the circuit stays as it is.
      this.#memory.refused(Date.now());
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
    this.#breaker.failed(Date.now());
    this.#problems.report(message, Date.now());
  }

  async #relieveQueue(spool: Spool): Promise<void> {
    if (this.#spooling) {
      return;
    }
    this.#spooling = true;
    while (this.#breaker.open && this.#queue.fill > SPOOL_UNTIL) {
      await this.#toSpool(spool, this.#queue.take(SPOOL_EVENTS_MAX));
    }
    this.#spooling = false;
  }

  async #toSpool(spool: Spool, events: PendingEvent[]): Promise<void> {
    if (events.length === 0) {
      return;
    }
    this.#underWay += events.length;
    const outcome = await spool.write(events);
    this.#underWay -= events.length;
    this.#countSpooled(outcome, events.length);
  }

  #countSpooled(outcome: 'spooled' | DropReason, count: number): void {
    if (outcome === 'spooled') {
      this.#counters.spooled += count;
      this.#flushes.left(count, count);
    } else {
      this.#drop(outcome, count);
    }
  }

  /** Counts events that were queued and are lost. */
  #drop(reason: DropReason, count: number): void {
    if (count > 0) {
      this.#counters.drop(reason, count, Date.now());
      this.#flushes.left(count, count);
    }
  }
}

function newTransport(settings: Settings): Transport {
  return settings.redis
    ? new AppTransport(settings.redis, settings.stream.name, settings.timeouts.answerMs)
    : new OwnTransport(parseAddress(settings.url), settings.tls, settings.timeouts);
}
