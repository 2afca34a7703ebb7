import type { ConnectionOptions } from 'node:tls';
import { type Address, type Node, nodeName } from './address.js';
import { nextTurn } from './clock.js';
import { firstOf } from './first_of.js';
import { OwnConnection } from './own_connection.js';
import type { Place } from './own_redis.js';
import { type Redirect, findRedirect } from './redirect.js';
import type { Answer } from './reply.js';
import { askSentinels } from './sentinels.js';
import type { Timeouts, Transport } from './transport.js';

/** For one batch. One that meets a slot at the end of its move takes an `ASK` and a `MOVED`. */
const REDIRECTS_MAX = 4;

const ASKING: readonly string[] = ['ASKING'];

/**
 * Sends over connections of the client's own. In a cluster any node tells which one holds the
 * stream, and a stream that moves is followed. node-redis' `createCluster` would need permission to
 * ask for all slots, does not follow to a node that has none yet, and keeps the process alive for
 * as long as a frozen node does not answer.
 */
export class OwnTransport implements Transport {
  readonly #address: Address;
  readonly #tls: ConnectionOptions | undefined;
  readonly #timeouts: Timeouts;
  /** By name. */
  readonly #connections = new Map<string, OwnConnection>();
  /** Gets all commands first. */
  #home: OwnConnection | undefined;
  /** Is the home known to hold the stream? */
  #settled = false;

  constructor(address: Address, tls: ConnectionOptions, timeouts: Timeouts) {
    this.#address = address;
    this.#tls = address.tls ? tls : undefined;
    this.#timeouts = timeouts;
  }

  async open(): Promise<void> {
    // The server may have closed the connection while this process was busy. It takes one turn of
    // the event loop to read that, and another until it is told.
    await nextTurn();
    await nextTurn();
    if (this.#home?.usable) {
      return;
    }
    this.close();
    this.#home = await this.#openAny(await this.#places());
    this.#settled = this.#address.kind !== 'cluster';
  }

  async send(commands: readonly (readonly string[])[]): Promise<Answer[]> {
    const answers = (await this.#home?.send(commands)) ?? [];
    let redirect = findRedirect(answers);
    for (let left = REDIRECTS_MAX; redirect && left > 0; left -= 1) {
      const connection = await this.#reach(redirect.node);
      if (!connection) {
        break;
      }
      if (!redirect.asking) {
        this.#home = connection;
      }
      await resend(connection, redirect, commands, answers);
      redirect = findRedirect(answers);
    }
    this.#settled = redirect === undefined;
    return answers;
  }

  async ask(question: readonly string[]): Promise<Answer> {
    return this.#settled ? this.#home?.ask(question) : null;
  }

  close(): void {
    for (const connection of this.#connections.values()) {
      connection.close();
    }
    this.#connections.clear();
    this.#home = undefined;
  }

  async #places(): Promise<Place[]> {
    const { kind, nodes, path } = this.#address;
    if (kind === 'sentinel') {
      return [await askSentinels(this.#address, this.#tls, this.#timeouts)];
    }
    return path === undefined ? nodes : [{ path }];
  }

  /** Connects to the one that answers first. */
  async #openAny(places: Place[]): Promise<OwnConnection> {
    const candidates = places.map((place) => this.#newConnection(place));
    const first = await firstOf(candidates.map((candidate) => candidate.open()));
    candidates.filter((candidate) => candidate !== first).forEach((candidate) => candidate.close());
    return first;
  }

  /** A connection to a node, where there can be one. */
  async #reach(node: Node): Promise<OwnConnection | undefined> {
    const known = this.#connections.get(nodeName(node));
    return known?.usable ? known : this.#newConnection(node).open().catch(() => undefined);
  }

  #newConnection(place: Place): OwnConnection {
    const { username, password, database } = this.#address;
    const name = 'path' in place ? place.path : nodeName(place);
    this.#connections.get(name)?.close();
    const connection = new OwnConnection({ name, place, tls: this.#tls, username, password, database }, this.#timeouts);
    this.#connections.set(name, connection);
    return connection;
  }
}

/** Sends commands again, to the node that they were redirected to, and replaces their answers. */
async function resend(
  connection: OwnConnection,
  { asking, indexes }: Redirect,
  commands: readonly (readonly string[])[],
  answers: Answer[],
): Promise<void> {
  const again = indexes.map((index) => commands[index] ?? []);
  const replies = await connection.send(asking ? again.flatMap((command) => [ASKING, command]) : again);
  indexes.forEach((index, position) => {
    answers[index] = replies[asking ? 2 * position + 1 : position];
  });
}
