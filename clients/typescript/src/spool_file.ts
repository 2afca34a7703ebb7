import {
  type Stats, close, constants, fstat, fstatSync, ftruncateSync, mkdir, mkdirSync, open, openSync, unlinkSync, write, writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { now } from './clock.js';
import { randomHex } from './random.js';

/** Events hold ids of users and data of jobs: they are for the service's own user alone. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** A file that was not written for so long is never written again; twice as old, it may be taken away. */
const IDLE_MS = 5 * 60 * 1_000;

const mkdirAsync = promisify(mkdir);
const openAsync = promisify(open);
const fstatAsync = promisify(fstat);
const writeAsync = promisify(write);

/**
 * One file of a spool. Everything is written at a position, so that a write under way can be
 * done once more when the process ends: the same bytes come to the same place.
 */
export class SpoolFile {
  /** Stands in each line, and makes its numbers unlike those of any other file. */
  readonly id = randomHex(8);
  readonly #path: string;
  #fd: number | undefined;
  #lines = 0;
  #bytes = 0;

  constructor(folder: string, service: string) {
    const plain = service.replace(/[^A-Za-z0-9._-]/g, '_');
    this.#path = join(folder, `emp-events-${plain}-${process.pid}-${this.id}.ndjson`);
  }

  /** Where the next text goes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A number for a line. Never given out twice, whatever became of the first. */
  nextLine(): number {
    this.#lines += 1;
    return this.#lines;
  }

  async open(): Promise<void> {
    if (this.#fd === undefined) {
      await mkdirAsync(dirname(this.#path), { recursive: true, mode: FOLDER_MODE });
      const fd = await openAsync(this.#path, 'wx', FILE_MODE);
      // The process may have come to its end meanwhile.
      this.#fd ??= fd;
    }
  }

  openNow(): void {
    if (this.#fd === undefined) {
      mkdirSync(dirname(this.#path), { recursive: true, mode: FOLDER_MODE });
      // It is there already where `open` is under way.
      this.#fd = openSync(this.#path, constants.O_WRONLY | constants.O_CREAT, FILE_MODE);
    }
  }

  /** May it be written on? Not where it was taken away, was emptied, or is old enough to be taken. */
  async isUsable(): Promise<boolean> {
    return this.#fd === undefined || this.#bytes === 0 || this.#isOurs(await fstatAsync(this.#fd));
  }

  isUsableNow(): boolean {
    return this.#fd === undefined || this.#bytes === 0 || this.#isOurs(fstatSync(this.#fd));
  }

  #isOurs({ nlink, size, mtimeMs }: Stats): boolean {
    return nlink > 0 && size >= this.#bytes && now() - mtimeMs < IDLE_MS;
  }

  async write(text: Buffer): Promise<void> {
    const start = this.#bytes;
    for (let done = 0; done < text.length; ) {
      const { bytesWritten } = await writeAsync(this.#descriptor, text, done, text.length - done, start + done);
      done += bytesWritten;
    }
  }

  writeNow(text: Buffer): void {
    for (let done = 0; done < text.length; ) {
      done += writeSync(this.#descriptor, text, done, text.length - done, this.#bytes + done);
    }
  }

  /** The text was written. */
  written(text: Buffer): void {
    this.#bytes += text.length;
  }

  /** Takes away what a failed write left behind. Throws where that fails, too. */
  cutOff(): void {
    ftruncateSync(this.#descriptor, this.#bytes);
  }

  /** Ends it. A file that holds nothing goes. Never throws. */
  close(): void {
    try {
      if (this.#bytes === 0) {
        unlinkSync(this.#path);
      }
    } catch {
      // It was never made, or is gone already.
    }
    if (this.#fd !== undefined) {
      close(this.#fd, () => {});
      this.#fd = undefined;
    }
  }

  get #descriptor(): number {
    if (this.#fd === undefined) {
      throw new Error('the file of the spool is not open');
    }
    return this.#fd;
  }
}
