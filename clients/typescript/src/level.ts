import type { Level } from './types.js';

const RANKS: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };

const NAMES_A_FAILURE = /(^|[._])error$|[._]failed$/;

/** The level that the name of a type suggests. */
export function defaultLevel(type: string): Level {
  return NAMES_A_FAILURE.test(type) ? 'error' : 'info';
}

/** The rank of a level, for comparisons. */
export function rank(level: Level): number {
  return RANKS[level];
}

/** The level of that name in any case; `undefined` for any other text. */
export function parseLevel(text: unknown): Level | undefined {
  const name = typeof text === 'string' ? text.trim().toLowerCase() : '';
  return Object.hasOwn(RANKS, name) ? (name as Level) : undefined;
}
