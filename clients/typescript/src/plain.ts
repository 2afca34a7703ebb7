import { types } from 'node:util';
import { REDACTED, type Redactor } from './redact.js';
import { cutString } from './text.js';

const DEPTH_MAX = 8;
const ITEMS_MAX = 100;

/** How many values and characters are looked at: what lies beyond would be cut off anyway. */
const WORK_MAX = 1_000_000;

type Plain = string | number | boolean | null | undefined | Plain[] | { [key: string]: Plain };

/** Turns any data into an object that JSON can hold, without secrets, not too deep or wide. */
export function toPlainObject(data: unknown, redactor: Redactor): Record<string, unknown> {
  const plain = new Plainer(redactor).convert(data, 1);
  if (plain === null || typeof plain !== 'object' || Array.isArray(plain)) {
    return plain === undefined || plain === null ? {} : { value: plain };
  }
  return plain;
}

/** One conversion. `depth` is that of the value at hand; the data itself is at depth 1. */
class Plainer {
  readonly #redactor: Redactor;
  readonly #path = new Set<object>();
  #work = WORK_MAX;

  constructor(redactor: Redactor) {
    this.#redactor = redactor;
  }

  convert(value: unknown, depth: number): Plain {
    this.#work -= 1;
    switch (typeof value) {
      case 'string':
        return this.#string(value);
      case 'number':
        return Number.isFinite(value) ? value : String(value);
      case 'boolean':
        return value;
      case 'bigint':
        return this.#string(String(value));
      case 'object':
        return value === null ? null : this.#guarded(value, depth);
      default:
        return undefined;
    }
  }

  #string(text: string): string {
    this.#work -= text.length;
    return cutString(text);
  }

  /** Code of the application runs in here: getters, `toJSON`, proxies. It may throw. */
  #guarded(value: object, depth: number): Plain {
    if (this.#path.has(value)) {
      return '[circular]';
    }
    this.#path.add(value);
    try {
      return this.#object(value, depth);
    } catch (error) {
      return unreadable(error);
    } finally {
      this.#path.delete(value);
    }
  }

  #object(value: object, depth: number): Plain {
    const text = describe(value);
    if (text !== undefined) {
      return text;
    }
    if (depth > DEPTH_MAX) {
      return '[deep]';
    }
    if (this.#work <= 0) {
      return '[too much]';
    }
    if (Array.isArray(value)) {
      return this.#array(value, depth);
    }
    if (types.isSet(value)) {
      return this.#array([...value], depth);
    }
    if (types.isMap(value)) {
      return this.#members([...value].map(([key, member]) => [String(key), () => member]), depth);
    }
    if (value instanceof Error) {
      return this.#error(value, depth);
    }
    return this.#withToJson(value, depth);
  }

  #withToJson(value: object, depth: number): Plain {
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') {
      const replaced: unknown = toJSON.call(value, '');
      return replaced === value ? this.#own(value, depth) : this.convert(replaced, depth);
    }
    return this.#own(value, depth);
  }

  #own(value: object, depth: number): Plain {
    const source = value as Record<string, unknown>;
    return this.#members(Object.keys(source).map((key) => [key, () => source[key]]), depth);
  }

  #array(items: unknown[], depth: number): Plain[] {
    const kept: Plain[] = [];
    for (let index = 0; index < Math.min(items.length, ITEMS_MAX); index += 1) {
      kept.push(this.#member(() => items[index], depth) ?? null);
    }
    if (items.length > ITEMS_MAX) {
      kept.push(`[${items.length - ITEMS_MAX} more]`);
    }
    return kept;
  }

  #members(entries: [key: string, read: () => unknown][], depth: number): { [key: string]: Plain } {
    // Without a prototype, a member named `__proto__` is a member like any other.
    const plain = Object.create(null) as { [key: string]: Plain };
    for (const [key, read] of entries) {
      plain[key] = this.#redactor.isSecret(key) ? REDACTED : this.#member(read, depth);
    }
    return plain;
  }

  #member(read: () => unknown, depth: number): Plain {
    try {
      return this.convert(read(), depth + 1);
    } catch (error) {
      return unreadable(error);
    }
  }

  #error(error: Error, depth: number): Plain {
    const { code, cause } = error as { code?: unknown; cause?: unknown };
    const parts: [string, () => unknown][] = [
      ['name', () => error.name],
      ['message', () => error.message],
      ['stack', () => error.stack],
    ];
    if (code !== undefined) {
      parts.push(['code', () => code]);
    }
    if (cause !== undefined) {
      parts.push(['cause', () => cause]);
    }
    return this.#members(parts, depth);
  }
}

/** Objects that are best told in a word. */
function describe(value: object): Plain {
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) {
    return `[${value.byteLength} bytes]`;
  }
  if (types.isDate(value)) {
    return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  }
  if (types.isRegExp(value)) {
    return String(value);
  }
  if (types.isBoxedPrimitive(value)) {
    return cutString(String(value.valueOf()));
  }
  return undefined;
}

function unreadable(error: unknown): string {
  try {
    return cutString(`[unreadable: ${error instanceof Error ? error.message : String(error)}]`);
  } catch {
    return '[unreadable]';
  }
}
