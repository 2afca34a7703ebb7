import { parseAddress } from './address.js';
import { AppTransport } from './app_transport.js';
import { OwnTransport } from './own_transport.js';
import type { Settings } from './settings.js';
import type { Transport } from './transport.js';

/** The way to Redis that the settings name. Throws where the address is none. */
export function newTransport(settings: Settings): Transport {
  return settings.redis
    ? new AppTransport(settings.redis, settings.stream.name, settings.timeouts.answerMs)
    : new OwnTransport(parseAddress(settings.url), settings.tls, settings.timeouts);
}
