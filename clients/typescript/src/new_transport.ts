import { AppTransport } from './app_transport.js';
import type { Settings } from './settings.js';
import type { Transport } from './transport.js';

/** The way to Redis that the settings name. Rejects where the address is none. */
export async function newTransport(settings: Settings): Promise<Transport> {
  if (settings.redis) {
    return new AppTransport(settings.redis, settings.stream.name, settings.timeouts.answerMs);
  }
  // A process that is switched off, or lends its connection, never loads what opens one.
  const { openTransport } = await import('./open_transport.js');
  return openTransport(settings);
}
