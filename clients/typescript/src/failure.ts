import type { EventData } from './types.js';

/** What an event says of an error. Whatever was thrown, this does not throw. */
export function failure(error: unknown): EventData {
  try {
    if (!(error instanceof Error)) {
      return { error: String(error) };
    }
    const { code } = error as { code?: unknown };
    return { error: error.message, errorName: error.name, errorCode: code, stack: error.stack };
  } catch {
    return { error: '[unreadable]' };
  }
}
