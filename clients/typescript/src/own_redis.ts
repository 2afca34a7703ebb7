import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { RedisClientType } from '@redis/client';
import type { Node } from './address.js';

/** Where a server listens. */
export type Place = Node | { path: string };

/** A server to connect to, and how to get in. */
export interface Target {
  /** What messages call it. */
  name: string;
  place: Place;
  /** `undefined`: without TLS. */
  tls: ConnectionOptions | undefined;
  username?: string | undefined;
  password?: string | undefined;
  database?: number;
}

/**
 * A node-redis instance that is not connected yet. It makes one attempt to connect, holds no
 * commands back, sends none twice, and does not keep the process alive.
 *
 * @param signal ends it, whatever it is doing; `destroy()` would miss a socket that is being connected
 */
export async function newRedis(target: Target, connectMs: number, signal: AbortSignal): Promise<RedisClientType> {
  // It takes its time and memory to load, which a process that never connects by itself can do without.
  const { createClient } = await import('@redis/client');
  const { place, tls, database = 0 } = target;
  const redis: RedisClientType = createClient({
    ...login(target),
    database,
    socket: {
      ...(tls && { ...serverName(place), ...tls, tls: true }),
      ...place,
      signal,
      connectTimeout: connectMs,
      // Never again by itself: when to try again is decided by the sender.
      reconnectStrategy: () => {
        // What is not destroyed stays in the list that node-redis keeps for its metrics.
        redis.destroy();
        return false;
      },
    },
    disableOfflineQueue: true,
    // A user who may add events and nothing else is refused this.
    disableClientInfo: true,
  });
  redis.unref();
  return redis;
}

/** The name that a server behind several names needs to hear before it shows its certificate. */
function serverName(place: Place): ConnectionOptions {
  return 'host' in place && isIP(place.host) === 0 ? { servername: place.host } : {};
}

/**
 * A password goes with a name: one without is refused where the server asks for no password.
 * A name without a password is of no use.
 */
function login({ username = 'default', password }: Target): { username?: string; password?: string } {
  return password === undefined ? {} : { username, password };
}
