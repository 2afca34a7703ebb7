import { parseAddress } from './address.js';
import { OwnTransport } from './own_transport.js';
import type { Settings } from './settings.js';
import type { Transport } from './transport.js';

/** Connections of the client's own. Throws where the address is none. */
export function openTransport(settings: Settings): Transport {
  return new OwnTransport(parseAddress(settings.url), settings.tls, settings.timeouts);
}
