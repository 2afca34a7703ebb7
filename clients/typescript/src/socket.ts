import { connect as connectTcp, type NetConnectOpts, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { encodeCommands, type Reply, ReplyParser } from './resp.js';

/** What to connect to. */
export interface Endpoint {
  host: string;
  port: number;
  path: string | undefined;
  /** `undefined`: without TLS. */
  tls: ConnectionOptions | undefined;
}

interface Waiting {
  replies: Reply[];
  count: number;
  done: () => void;
}

/** A connection to one Redis server. It does not keep the process alive. */
export class RedisSocket {
  readonly #socket: Socket;
  readonly #parser = new ReplyParser();
  #waiting: Waiting | undefined;
  #closed: Error | undefined;
  /** Settles with the connection: resolved once made, rejected where it cannot be. */
  readonly ready: Promise<void>;

  constructor(endpoint: Endpoint, timeoutMs: number) {
    this.#socket = start(endpoint);
    this.#socket.unref();
    this.#socket.setNoDelay(true);
    this.#socket.setKeepAlive(true, 10_000);
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('Redis has closed the connection')));
    this.ready = this.#connected(endpoint.tls ? 'secureConnect' : 'connect', timeoutMs);
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Sends commands and resolves with the answers: fewer, where they stay out. Never rejects. */
  send(commands: readonly (readonly string[])[], timeoutMs: number): Promise<Reply[]> {
    if (this.#closed || this.#waiting || commands.length === 0) {
      return Promise.resolve([]);
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.close(), timeoutMs).unref();
      const replies: Reply[] = [];
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting = undefined;
        resolve(replies);
      };
      this.#waiting = { replies, count: commands.length, done };
      this.#socket.write(encodeCommands(commands));
    });
  }

  close(): void {
    this.#fail(new Error('the connection was given up'));
  }

  #connected(event: 'connect' | 'secureConnect', timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(new Error('Redis does not answer')), timeoutMs).unref();
      this.#socket.once(event, () => {
        clearTimeout(timer);
        resolve();
      });
      this.#socket.once('close', () => {
        clearTimeout(timer);
        reject(this.#closed ?? new Error('Redis has closed the connection'));
      });
    });
  }

  #receive(chunk: Buffer): void {
    try {
      const replies = this.#parser.feed(chunk);
      const waiting = this.#waiting;
      if (!waiting) {
        return;
      }
      waiting.replies.push(...replies);
      if (waiting.replies.length >= waiting.count) {
        waiting.done();
      }
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(error: Error): void {
    this.#closed ??= error;
    this.#socket.destroy();
    this.#waiting?.done();
  }
}

function start(endpoint: Endpoint): Socket {
  const { host, port, path, tls } = endpoint;
  const target: NetConnectOpts = path === undefined ? { host, port } : { path };
  return tls ? connectTls({ servername: host, ...tls, ...(path === undefined ? { host, port } : { path }) }) : connectTcp(target);
}
