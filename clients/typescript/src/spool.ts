import { now } from './clock.js';
import { inTime } from './in_time.js';
import { SpoolFile } from './spool_file.js';
import { SpoolRoom } from './spool_room.js';
import type { PendingEvent } from './types.js';
import { spoolLine } from './wire.js';

/** Where the spool is and how large it may grow. */
export interface SpoolLimits {
  folder: string;
  fileBytesMax: number;
  /** Of all spool files in the folder, whichever processes wrote them. */
  bytesMax: number;
}

/** What became of events given to the spool. */
export type SpoolOutcome = 'spooled' | 'spool_full' | 'spool_failed';

/** Of one write. */
const WRITE_BYTES_MAX = 1024 * 1024;
const WRITES_PER_FILE_MIN = 4;

/** A disk on which one write takes longer than this is given up when the client is closed. */
const CLOSE_MS = 5_000;

/** Events on their way to a file. */
interface Addition {
  readonly events: readonly PendingEvent[];
  readonly settled: Promise<void>;
  readonly done: () => void;
  /** Once its place is settled. */
  placed?: { file: SpoolFile; text: Buffer };
}

/**
 * Files that take the events which Redis cannot, one JSON object a line. `emp-events import`
 * knows each line by its `uid` and stores it once, however often a file is imported.
 */
export class Spool {
  readonly #limits: SpoolLimits;
  readonly #service: string;
  readonly #settled: (outcome: SpoolOutcome, count: number) => void;
  readonly #room: SpoolRoom;
  #file: SpoolFile | undefined;
  #lastMs = 0;
  /** The first is being written, the others wait: lines stay in the order of their numbers. */
  readonly #additions: Addition[] = [];
  #running: Promise<void> | undefined;

  /** `settled` is called once for all events of each `write`. */
  constructor(limits: SpoolLimits, service: string, settled: (outcome: SpoolOutcome, count: number) => void) {
    this.#limits = limits;
    this.#service = service;
    this.#settled = settled;
    this.#room = new SpoolRoom(limits.folder, limits.bytesMax);
  }

  /** What is written at once should hold no more, so that files keep to their size. */
  get writeBytesMax(): number {
    return Math.min(WRITE_BYTES_MAX, this.#limits.fileBytesMax / WRITES_PER_FILE_MIN);
  }

  /** Appends events without blocking. Resolves once they are settled; never rejects. */
  write(events: readonly PendingEvent[]): Promise<void> {
    let done = (): void => {};
    const settled = new Promise<void>((resolve) => {
      done = resolve;
    });
    this.#additions.push({ events, settled, done });
    this.#running ??= this.#run();
    return settled;
  }

  /** Writes at once all that is on its way: for a process that is about to end. Never throws. */
  writeNow(): void {
    for (const addition of this.#additions.splice(0)) {
      this.#settle(addition, this.#appendNow(addition));
    }
  }

  /** Waits for what is on its way, as long as the disk takes it, and ends. */
  async close(): Promise<void> {
    for (let [first] = this.#additions; first; [first] = this.#additions) {
      await inTime(first.settled, undefined, CLOSE_MS);
      if (this.#additions[0] === first) {
        break;
      }
    }
    const late = this.#additions.splice(0);
    if (late.length > 0) {
      // Whoever touches the file now waits for the disk as well.
      this.#file = undefined;
      late.forEach((addition) => this.#settle(addition, 'spool_failed'));
    }
    this.#endFile();
  }

  async #run(): Promise<void> {
    for (let [addition] = this.#additions; addition; [addition] = this.#additions) {
      const outcome = await this.#append(addition);
      // Else it was settled from elsewhere.
      if (this.#additions[0] === addition) {
        this.#additions.shift();
        this.#settle(addition, outcome);
      }
    }
    this.#running = undefined;
  }

  async #append(addition: Addition): Promise<SpoolOutcome> {
    try {
      await this.#room.count();
      if (this.#file && !(await this.#file.isUsable())) {
        this.#endFile();
      }
      const file = this.#fileFor(addition);
      if (!file) {
        return 'spool_full';
      }
      await file.open();
      await file.write(this.#place(addition, file));
      return 'spooled';
    } catch {
      return 'spool_failed';
    }
  }

  #appendNow(addition: Addition): SpoolOutcome {
    try {
      // A write under way comes to the same place once more.
      const file = addition.placed?.file ?? this.#fileNow(addition);
      if (!file) {
        return 'spool_full';
      }
      file.writeNow(addition.placed?.text ?? this.#place(addition, file));
      return 'spooled';
    } catch {
      return 'spool_failed';
    }
  }

  #fileNow(addition: Addition): SpoolFile | undefined {
    this.#room.countNow();
    if (this.#file && !this.#file.isUsableNow()) {
      this.#endFile();
    }
    const file = this.#fileFor(addition);
    file?.openNow();
    return file;
  }

  /** The file to append to; `undefined` where there is no room. */
  #fileFor({ events }: Addition): SpoolFile | undefined {
    const bytes = events.reduce((sum, event) => sum + event.bytes, 0);
    if (this.#file && this.#file.bytes > 0 && this.#file.bytes + bytes > this.#limits.fileBytesMax) {
      this.#endFile();
    }
    if (!this.#room.has(bytes, this.#file === undefined)) {
      return undefined;
    }
    this.#file ??= new SpoolFile(this.#limits.folder, this.#service);
    return this.#file;
  }

  #place(addition: Addition, file: SpoolFile): Buffer {
    // The clock may be set back; the importer relies on lines being in order.
    this.#lastMs = Math.max(this.#lastMs, now());
    let lines = '';
    for (const event of addition.events) {
      lines += spoolLine(this.#service, event, `${file.id}:${file.nextLine()}`, this.#lastMs);
    }
    const text = Buffer.from(lines);
    addition.placed = { file, text };
    return text;
  }

  #settle(addition: Addition, outcome: SpoolOutcome): void {
    const { placed } = addition;
    if (outcome === 'spooled' && placed) {
      placed.file.written(placed.text);
      this.#room.take(placed.text.length);
    } else if (outcome === 'spool_failed') {
      this.#mend();
    }
    this.#settled(outcome, addition.events.length);
    addition.done();
  }

  /** After a failure the file ends where it ended before, or is written no more. */
  #mend(): void {
    try {
      if (this.#file && this.#file.bytes > 0) {
        this.#file.cutOff();
        return;
      }
    } catch {
      // Nobody knows how it ends.
    }
    this.#endFile();
  }

  #endFile(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}
