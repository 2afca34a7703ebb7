import { readdir, readdirSync, stat, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { uptimeMs } from './clock.js';

/** A file counts as so much at least, which bounds how many files there can be. */
const FILE_BYTES_MIN = 64 * 1024;

/** Between two counts other processes may write, or files be taken away. */
const COUNT_EVERY_MS = 1_000;
const COUNT_EVERY_BYTES = 1024 * 1024;

const readdirAsync = promisify(readdir);
const statAsync = promisify(stat);

const SPOOL_FILE = /^emp-events-.*\.ndjson$/;

/** How much a spool's folder may still take, whichever processes wrote what it holds. */
export class SpoolRoom {
  readonly #folder: string;
  readonly #bytesMax: number;
  #left = 0;
  #countedAt = -Infinity;
  #takenSince = 0;

  constructor(folder: string, bytesMax: number) {
    this.#folder = folder;
    this.#bytesMax = bytesMax;
  }

  /** Counts what the folder holds, if that is due. */
  async count(): Promise<void> {
    if (this.#isDue()) {
      const names = await readdirAsync(this.#folder).catch(() => []);
      this.#counted(await Promise.all(this.#paths(names).map((path) => statAsync(path).then(({ size }) => size, () => 0))));
    }
  }

  /** The same without a turn of the event loop. */
  countNow(): void {
    if (this.#isDue()) {
      this.#counted(this.#paths(namesIn(this.#folder)).map(sizeOf));
    }
  }

  /** Is there room for so much, at the end of a file or as a new one? */
  has(bytes: number, isNewFile: boolean): boolean {
    return (isNewFile ? Math.max(bytes, FILE_BYTES_MIN) : bytes) <= this.#left;
  }

  take(bytes: number): void {
    this.#left -= bytes;
    this.#takenSince += bytes;
  }

  #isDue(): boolean {
    return this.#takenSince >= COUNT_EVERY_BYTES || uptimeMs() - this.#countedAt >= COUNT_EVERY_MS;
  }

  #paths(names: string[]): string[] {
    return names.filter((name) => SPOOL_FILE.test(name)).map((name) => join(this.#folder, name));
  }

  #counted(sizes: number[]): void {
    this.#left = sizes.reduce((left, size) => left - Math.max(size, FILE_BYTES_MIN), this.#bytesMax);
    this.#countedAt = uptimeMs();
    this.#takenSince = 0;
  }
}

/** A folder that is not there yet holds nothing. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** A file may be taken away in between. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
