import type { Level } from './types.js';

const RANKS: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };

const NAMES_A_FAILURE = /(^|[.-])(error|failed|crashed|timed_out)$|_(error|failed)$|(Error|Failed|Crashed|TimedOut)$/;

/** What other loggers say. */
const OTHER_NAMES: Record<string, Level> = {
  ...named('debug', 'dbg trace verbose silly fine finer finest 10 20'),
  ...named('info', 'inf information notice http 30'),
  ...named('warn', 'wrn warning 40'),
  ...named('error', 'err fatal crit critical panic dpanic alert emerg emergency severe 50 60'),
};

function named(level: Level, names: string): Record<string, Level> {
  return Object.fromEntries(names.split(' ').map((name) => [name, level]));
}

/** The level that the name of a type suggests. */
export function defaultLevel(type: string): Level {
  return NAMES_A_FAILURE.test(type) ? 'error' : 'info';
}

/** The rank of a level, for comparisons. */
export function rank(level: Level): number {
  return RANKS[level];
}

/** The level of that name, in any case and as other loggers say it; `undefined` for anything else. */
export function parseLevel(given: unknown): Level | undefined {
  const name = typeof given === 'string' || typeof given === 'number' ? String(given).trim().toLowerCase() : '';
  if (Object.hasOwn(RANKS, name)) {
    return name as Level;
  }
  return Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name] : undefined;
}
