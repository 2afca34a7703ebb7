import { parseLevel } from './level.js';
import type { Level } from './types.js';

/** What the environment says, as the clients of all languages read it. */
export class Environment {
  readonly #variables: NodeJS.ProcessEnv;
  readonly #complain: (complaint: string) => void;

  /** `complain` is told of each variable that says something that is not understood. */
  constructor(variables: NodeJS.ProcessEnv, complain: (complaint: string) => void) {
    this.#variables = variables;
    this.#complain = complain;
  }

  /** A variable that is set, and not empty. */
  text(name: string): string | undefined {
    return this.#variables[name]?.trim() || undefined;
  }

  /** A switch. What is neither on nor off counts as not set. */
  flag(name: string): boolean | undefined {
    const text = this.text(name)?.toLowerCase();
    if (text === undefined) {
      return undefined;
    }
    if (/^(1|true|yes|on)$/.test(text)) {
      return true;
    }
    if (/^(0|false|no|off)$/.test(text)) {
      return false;
    }
    this.#complain(`${name} is neither true nor false, and is left aside`);
    return undefined;
  }

  /** The name of a level. */
  level(name: string): Level | undefined {
    const text = this.text(name);
    const level = parseLevel(text);
    if (text !== undefined && level === undefined) {
      this.#complain(`${name} is no level: it is debug, info, warn or error`);
    }
    return level;
  }

  /** The address of Redis. Kubernetes sets `REDIS_PORT` to `tcp://10.0.0.1:6379` for a service named redis. */
  redisUrl(): string {
    const url = this.text('REDIS_URL');
    if (url !== undefined) {
      return url;
    }
    const [, linkedHost, port] = /^(?:tcp:\/\/(.+):)?(\d{1,5})$/.exec(this.text('REDIS_PORT') ?? '6379') ?? [];
    if (port === undefined) {
      this.#complain('REDIS_PORT is no port');
    }
    const host = this.text('REDIS_HOST') ?? linkedHost ?? '127.0.0.1';
    // An address that leads nowhere is better than one that leads to another server.
    return `redis://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port ?? 'unknown'}`;
  }

  /** Does a test runner run this? Then events would go to whatever Redis the developer has. */
  get isTest(): boolean {
    const globals = globalThis as { describe?: unknown; it?: unknown };
    const hasGlobals = typeof globals.describe === 'function' && typeof globals.it === 'function';
    return hasGlobals || ['VITEST', 'JEST_WORKER_ID', 'NODE_TEST_CONTEXT'].some((name) => this.text(name) !== undefined);
  }
}
