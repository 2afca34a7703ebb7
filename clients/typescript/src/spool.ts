import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync } from 'node:fs';
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PendingEvent } from './types.js';
import { spoolLine } from './wire.js';

/** Where the spool is and how large it may grow. */
export interface SpoolLimits {
  folder: string;
  fileBytesMax: number;
  filesMax: number;
}

/** What became of events given to the spool. */
export type SpoolOutcome = 'spooled' | 'spool_full' | 'spool_failed';

interface Addition {
  path: string;
  text: string;
  isNew: boolean;
}

interface SpoolFile {
  id: string;
  path: string;
  lines: number;
  bytes: number;
}

/**
 * Files that take the events which Redis cannot, one JSON object a line. `emp-events import`
 * knows each line by its `uid` and stores it once, however often a file is imported.
 */
export class Spool {
  readonly #limits: SpoolLimits;
  readonly #service: string;
  #file: SpoolFile | undefined;
  #filesOpened = 0;
  #lastMs = 0;
  /** Writes go one after the other, so that lines stay in the order of their numbers. */
  #lastWrite: Promise<unknown> = Promise.resolve();

  constructor(limits: SpoolLimits, service: string) {
    this.#limits = limits;
    this.#service = service;
  }

  /** Appends events without blocking. Never rejects. */
  write(events: readonly PendingEvent[]): Promise<SpoolOutcome> {
    const written = this.#lastWrite.then(() => this.#write(events));
    this.#lastWrite = written;
    return written;
  }

  /** Appends events at once: for a process that is about to end. Never throws. */
  writeNow(events: readonly PendingEvent[]): SpoolOutcome {
    try {
      const next = this.#prepare(events);
      if (!next) {
        return 'spool_full';
      }
      if (next.isNew) {
        mkdirSync(this.#limits.folder, { recursive: true });
      }
      appendFileSync(next.path, next.text);
      return 'spooled';
    } catch {
      return this.#abandonFile();
    }
  }

  async #write(events: readonly PendingEvent[]): Promise<SpoolOutcome> {
    try {
      const next = this.#prepare(events);
      if (!next) {
        return 'spool_full';
      }
      if (next.isNew) {
        await mkdir(this.#limits.folder, { recursive: true });
      }
      await appendFile(next.path, next.text);
      return 'spooled';
    } catch {
      return this.#abandonFile();
    }
  }

  /** The text to append and the file to append it to; `undefined` where no file may be added. */
  #prepare(events: readonly PendingEvent[]): Addition | undefined {
    const bytes = events.reduce((sum, event) => sum + event.bytes, 0);
    const file = this.#fileFor(bytes);
    if (!file) {
      return undefined;
    }
    // The clock may be set back; the importer relies on lines being in order.
    this.#lastMs = Math.max(this.#lastMs, Date.now());
    let text = '';
    for (const event of events) {
      file.lines += 1;
      text += spoolLine(this.#service, event, `${file.id}:${file.lines}`, this.#lastMs);
    }
    const isNew = file.bytes === 0;
    file.bytes += Buffer.byteLength(text);
    return { path: file.path, text, isNew };
  }

  #fileFor(bytes: number): SpoolFile | undefined {
    const current = this.#file;
    if (current && (current.bytes === 0 || current.bytes + bytes <= this.#limits.fileBytesMax)) {
      return current;
    }
    if (this.#filesOpened >= this.#limits.filesMax) {
      return undefined;
    }
    this.#filesOpened += 1;
    this.#file = this.#newFile();
    return this.#file;
  }

  #newFile(): SpoolFile {
    const id = randomBytes(8).toString('hex');
    const service = this.#service.replace(/[^A-Za-z0-9._-]/g, '_');
    const path = join(this.#limits.folder, `emp-events-${service}-${process.pid}-${id}.ndjson`);
    return { id, path, lines: 0, bytes: 0 };
  }

  /** What a failed write left behind is unknown, so its numbers are not given out again. */
  #abandonFile(): SpoolOutcome {
    this.#file = undefined;
    this.#filesOpened -= 1;
    return 'spool_failed';
  }
}
