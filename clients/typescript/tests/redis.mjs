// Real Redis servers for the tests: on free ports, in folders of their own, ended by their own id.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Redis from 'ioredis';

// A client that is started by a test runner writes nothing unless it is asked to.
process.env.TELEMETRY_ENABLED = 'true';

let ports = 0;

/**
 * A port that nobody has, below those that the system gives to connections by itself, and low enough for a node of a
 * cluster, which takes one 10,000 above it as well.
 */
export async function freePort() {
  for (;;) {
    const port = 2_000 + ((process.pid * 101 + ports) % 4_000);
    ports += 1;
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(() => true, () => false);
    if (isFree) {
      server.close();
      await once(server, 'close');
      return port;
    }
  }
}

/** How long a test waits for what must come. Nothing is measured by it: a busy machine is slow, not wrong. */
export const PATIENCE_MS = 240_000;

/** Time limits of a client that nothing but a server that does not answer can reach. */
export const patient = { connectTimeoutMs: PATIENCE_MS, answerTimeoutMs: PATIENCE_MS, ratePerSecond: 0 };

/** Time limits of a client whose server is to stay silent past them, long enough for one that is only slow. */
export const quick = { connectTimeoutMs: 3_000, answerTimeoutMs: 3_000, ratePerSecond: 0 };

/** Emits so many events. */
export function emit(client, count, data = {}) {
  for (let index = 0; index < count; index += 1) {
    client.event('test.emitted', { index, ...data });
  }
}

/** Freezes a server that has taken five events, with a batch of twenty under way that is never answered. */
export async function freezeUnderWay(client, server) {
  emit(client, 5);
  assert.ok(await client.flush(PATIENCE_MS));
  server.freeze();
  emit(client, 20);
  await until(() => client.stats().reasons.unanswered === 20);
}

export function temporaryFolder(test) {
  const folder = mkdtempSync(join(tmpdir(), 'emp-events-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An authority and a server's certificate by it, as files and as what is in them. */
export function certificates(test) {
  const folder = temporaryFolder(test);
  execFileSync(fileURLToPath(new URL('../../../tests/certificates.sh', import.meta.url)), [folder]);
  const path = (name) => join(folder, name);
  return { path, file: (name) => readFileSync(path(name)) };
}

/** Settings of a server that listens with TLS too. */
export function tlsSettings(port, path) {
  return [
    '--tls-port', String(port), '--tls-auth-clients', 'no',
    '--tls-cert-file', path('server.crt'), '--tls-key-file', path('server.key'), '--tls-ca-cert-file', path('ca.crt'),
  ];
}

export class RedisServer {
  #folder;
  #process;
  #admin;
  #settings;

  constructor(folder, port, settings) {
    this.#folder = folder;
    this.port = port;
    this.#settings = settings;
  }

  /** Starts a server that ends with the test. */
  static async start(test, settings = []) {
    const server = await RedisServer.planned(test, settings);
    await server.start();
    return server;
  }

  /** A server with a port, not started yet. */
  static async planned(test, settings = []) {
    const server = new RedisServer(temporaryFolder(test), await freePort(), settings);
    test.after(() => server.stop());
    return server;
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid() {
    return this.#process.pid;
  }

  async start() {
    // On both: of `localhost`, Node 18 asks the first address alone, which may be either.
    const settings = ['--bind', '127.0.0.1', '-::1', '--save', '', '--appendonly', 'no', ...this.#settings];
    this.#process = spawn('redis-server', ['--port', String(this.port), '--dir', this.#folder, ...settings], {
      stdio: 'ignore',
    });
    const locked = this.#settings.indexOf('--requirepass');
    const password = locked < 0 ? undefined : this.#settings[locked + 1];
    this.#admin = new Redis({ port: this.port, password, enableReadyCheck: false, retryStrategy: () => 20 });
    this.#admin.on('error', () => {});
    await until(() => this.#admin.ping());
  }

  async stop() {
    if (!this.#process) {
      return;
    }
    this.#admin.disconnect();
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGCONT');
    this.#process.kill('SIGKILL');
    await ended;
    this.#process = undefined;
  }

  freeze() {
    this.#process.kill('SIGSTOP');
  }

  thaw() {
    this.#process.kill('SIGCONT');
  }

  command(name, ...words) {
    return this.#admin.call(name, ...words);
  }

  /** Every entry of the stream, as an object of its fields. */
  async entries(stream = 'emp:events') {
    const entries = await this.command('XRANGE', stream, '-', '+');
    return entries.map(([, fields]) => toObject(fields));
  }

  /** How many entries were ever added. */
  async added(stream = 'emp:events') {
    const exists = await this.command('EXISTS', stream);
    return exists ? toObject(await this.command('XINFO', 'STREAM', stream))['entries-added'] : 0;
  }
}

/** Stands between a client and its server, and sees what passes. */
export class Relay {
  /** Bytes from the client that the server's system has taken. */
  passed = 0;

  static async start(test, server) {
    const relay = new Relay();
    const listener = createServer((client) => {
      const upstream = connect(server.port, '127.0.0.1');
      client.on('data', (chunk) => upstream.write(chunk, () => { relay.passed += chunk.length; }));
      upstream.on('data', (chunk) => client.write(chunk));
      for (const [one, other] of [[client, upstream], [upstream, client]]) {
        one.on('error', () => {});
        one.on('close', () => other.destroy());
      }
    }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    test.after(() => listener.close());
    relay.url = `redis://127.0.0.1:${listener.address().port}`;
    return relay;
  }
}

/** A function for `onProblem`, and what it was told. */
export function problems() {
  const told = [];
  return { told, onProblem: (message) => told.push(message) };
}

function toObject(pairs) {
  const object = {};
  for (let index = 0; index < pairs.length; index += 2) {
    object[pairs[index]] = pairs[index + 1];
  }
  return object;
}

/** Waits until a condition holds. */
export async function until(condition, timeoutMs = PATIENCE_MS) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (await Promise.resolve(condition()).catch(() => false)) {
      return;
    }
    if (performance.now() > deadline) {
      throw new Error(`still not so after ${timeoutMs} ms: ${condition}`);
    }
    await sleep(10);
  }
}

/** Asserts the law of the counts, and returns them. */
export function balanced(client) {
  const stats = client.stats();
  const sum = stats.sent + stats.sampled + stats.dropped + stats.spooled + stats.queued;
  if (sum !== stats.emitted) {
    throw new Error(`the counts do not add up: ${JSON.stringify(stats)}`);
  }
  const reasons = Object.values(stats.reasons).reduce((total, count) => total + count, 0);
  if (reasons !== stats.dropped) {
    throw new Error(`the reasons do not add up: ${JSON.stringify(stats)}`);
  }
  return stats;
}
