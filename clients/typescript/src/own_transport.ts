import type { ConnectionOptions } from 'node:tls';
import { type Address, type Node, parseNode } from './address.js';
import { RedisRefusal, type Reply } from './resp.js';
import { RedisSocket } from './socket.js';
import type { Timeouts, Transport } from './transport.js';

/** A connection of the client's own: to a server, to what sentinels name, or into a cluster. */
export class OwnTransport implements Transport {
  readonly #address: Address;
  readonly #tls: ConnectionOptions;
  readonly #timeouts: Timeouts;
  #socket: RedisSocket | undefined;
  /** The node of a cluster that holds the stream. */
  #movedTo: Node | undefined;
  /** Which node of a cluster to ask: another one after each failure. */
  #turn = 0;

  constructor(address: Address, tls: ConnectionOptions, timeouts: Timeouts) {
    this.#address = address;
    this.#tls = tls;
    this.#timeouts = timeouts;
  }

  async open(): Promise<void> {
    if (this.#socket && !this.#socket.closed) {
      return;
    }
    this.close();
    const node = await this.#findServer();
    const socket = this.#connect(node, this.#address.path);
    this.#socket = socket;
    try {
      await socket.ready;
      await this.#greet(socket, true);
    } catch (error) {
      this.#movedTo = undefined;
      this.#turn += 1;
      socket.close();
      throw error;
    }
  }

  async send(commands: readonly (readonly string[])[]): Promise<Reply[]> {
    const replies = (await this.#socket?.send(commands, this.#timeouts.answerMs)) ?? [];
    this.#followMove(replies);
    return replies;
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  async #findServer(): Promise<Node> {
    const { kind, nodes, master } = this.#address;
    if (kind === 'sentinel') {
      return this.#askSentinels(nodes, master ?? '');
    }
    const node = this.#movedTo ?? nodes[this.#turn % Math.max(1, nodes.length)];
    return node ?? { host: '127.0.0.1', port: 6379 };
  }

  async #askSentinels(sentinels: Node[], master: string): Promise<Node> {
    let problem: unknown = new Error('no sentinel is given');
    for (const sentinel of sentinels) {
      try {
        return await this.#askSentinel(sentinel, master);
      } catch (error) {
        problem = error;
      }
    }
    throw problem;
  }

  async #askSentinel(sentinel: Node, master: string): Promise<Node> {
    const socket = this.#connect(sentinel, undefined);
    try {
      await socket.ready;
      const question = ['SENTINEL', 'get-master-addr-by-name', master];
      let [reply] = await socket.send([question], this.#timeouts.connectMs);
      if (reply instanceof RedisRefusal && reply.code === 'NOAUTH') {
        await this.#greet(socket, false);
        [reply] = await socket.send([question], this.#timeouts.connectMs);
      }
      if (!Array.isArray(reply)) {
        throw new Error(`the sentinels know no server named ${master}`);
      }
      return { host: String(reply[0]), port: Number(reply[1]) };
    } finally {
      socket.close();
    }
  }

  #connect(node: Node, path: string | undefined): RedisSocket {
    const tls = this.#address.tls ? this.#tls : undefined;
    return new RedisSocket({ ...node, path, tls }, this.#timeouts.connectMs);
  }

  /**
   * Logs in, and sees that the server answers: a frozen one accepts connections and bytes, and
   * whatever was sent to it would be lost.
   */
  async #greet(socket: RedisSocket, chooseDatabase: boolean): Promise<void> {
    const { username, password, database } = this.#address;
    const greeting: string[][] = [];
    if (password !== undefined) {
      greeting.push(username === undefined ? ['AUTH', password] : ['AUTH', username, password]);
    }
    if (chooseDatabase && database > 0) {
      greeting.push(['SELECT', String(database)]);
    }
    const commands = [...greeting, ['PING']];
    const replies = await socket.send(commands, this.#timeouts.connectMs);
    if (replies.length < commands.length) {
      throw new Error('Redis does not answer');
    }
    const refusal = replies.find(isFatalAtGreeting);
    if (refusal) {
      throw new Error(refusal.message);
    }
  }

  #followMove(replies: Reply[]): void {
    const moved = replies.find((reply): reply is RedisRefusal => reply instanceof RedisRefusal && reply.code === 'MOVED');
    if (moved) {
      this.#movedTo = parseNode(moved.message.split(' ')[2] ?? '', 6379);
      this.close();
    }
  }
}

/** A user that may do nothing but add events is refused the `PING`, and is welcome. */
function isFatalAtGreeting(reply: Reply): reply is RedisRefusal {
  return reply instanceof RedisRefusal && !(reply.code === 'NOPERM' && reply.message.includes('ping'));
}
