import { toPlainObject } from './plain.js';
import type { Redactor } from './redact.js';
import { STRING_CHARS_MAX, wellFormedJson } from './text.js';

/** UTF-8 takes at most three bytes for a UTF-16 unit. */
const BYTES_PER_UNIT_MAX = 3;

/** The text of an event's data, or `undefined` where it cannot be cut to `bytesMax`. */
export function dataText(
  data: unknown,
  redactor: Redactor,
  bytesMax: number,
  sampleRate: number | undefined,
): string | undefined {
  if (data === undefined && sampleRate === undefined) {
    return '{}';
  }
  const flat = flatText(data, redactor, sampleRate);
  if (flat !== undefined && fits(flat, bytesMax)) {
    return flat;
  }
  const plain = toPlainObject(data, redactor);
  if (sampleRate !== undefined) {
    plain['sampleRate'] = sampleRate;
  }
  const text = wellFormedJson(JSON.stringify(plain));
  return fits(text, bytesMax) ? text : cutMembers(plain, bytesMax);
}

/**
 * The quick way for what most events carry: a plain object of short strings, numbers and such,
 * without secrets. `undefined` where it is anything else, or where reading it fails.
 */
function flatText(data: unknown, redactor: Redactor, sampleRate: number | undefined): string | undefined {
  try {
    if (!isFlat(data, redactor)) {
      return undefined;
    }
    return wellFormedJson(JSON.stringify(sampleRate === undefined ? data : { ...data, sampleRate }));
  } catch {
    return undefined;
  }
}

function isFlat(data: unknown, redactor: Redactor): data is Record<string, unknown> {
  if (data === null || typeof data !== 'object' || Object.getPrototypeOf(data) !== Object.prototype) {
    return false;
  }
  for (const key in data) {
    if (!isFlatValue((data as Record<string, unknown>)[key]) || redactor.isSecret(key)) {
      return false;
    }
  }
  return true;
}

function isFlatValue(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return value.length <= STRING_CHARS_MAX;
    case 'number':
      return Number.isFinite(value);
    case 'boolean':
    case 'undefined':
      return true;
    default:
      return value === null;
  }
}

function fits(text: string, bytesMax: number): boolean {
  return text.length * BYTES_PER_UNIT_MAX <= bytesMax || Buffer.byteLength(text) <= bytesMax;
}

/** Replaces the largest members by their size, one after the other, until the rest fits. */
function cutMembers(plain: Record<string, unknown>, bytesMax: number): string | undefined {
  plain['_truncated'] = true;
  let total = byteLength(plain);
  for (const { key, bytes } of membersBySize(plain)) {
    const replacement = `[cut ${bytes} bytes]`;
    const saved = bytes - byteLength(replacement);
    if (saved > 0) {
      plain[key] = replacement;
      total -= saved;
    }
    if (total <= bytesMax) {
      return wellFormedJson(JSON.stringify(plain));
    }
  }
  return undefined;
}

function membersBySize(plain: Record<string, unknown>): { key: string; bytes: number }[] {
  return Object.entries(plain)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => ({ key, bytes: byteLength(member) }))
    .sort((left, right) => right.bytes - left.bytes);
}

function byteLength(value: unknown): number {
  return Buffer.byteLength(wellFormedJson(JSON.stringify(value)));
}
