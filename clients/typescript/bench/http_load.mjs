// Requests to the server of the HTTP benchmark. By plain sockets: `http.request` would take as much
// of the machine as the server.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const REQUEST = 'GET /jobs HTTP/1.1\r\nhost: bench\r\n\r\n';
const CONNECTIONS = 16;

/** Connections that carry one request after the other. */
class Connections {
  #port;
  #idle = [];
  #all = [];

  constructor(port) {
    this.#port = port;
  }

  /** Asks, and resolves with how many ms the answer took. */
  async get() {
    const startedAt = performance.now();
    const socket = this.#idle.pop() ?? this.#connect();
    await new Promise((resolve) => {
      socket.answered = resolve;
      socket.write(REQUEST);
    });
    this.#idle.push(socket);
    return performance.now() - startedAt;
  }

  close() {
    this.#all.forEach((socket) => socket.destroy());
  }

  #connect() {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    let missing = 0;
    socket.on('data', (chunk) => {
      missing ||= answerBytes(chunk);
      missing -= chunk.length;
      if (missing === 0) {
        socket.answered();
      }
    });
    this.#all.push(socket);
    return socket;
  }
}

/** How long an answer is that begins like this; the server writes the head at once. */
function answerBytes(chunk) {
  const head = chunk.latin1Slice(0, chunk.indexOf('\r\n\r\n') + 4);
  return head.length + Number(/content-length: (\d+)/i.exec(head)[1]);
}

/** Begins requests at a steady pace. Resolves with the ms that each took. */
export async function pace(port, perSecond, forMs) {
  const connections = new Connections(port);
  const answers = [];
  const startedAt = performance.now();
  for (let elapsed = 0; elapsed < forMs; elapsed = performance.now() - startedAt) {
    while (answers.length < (elapsed / 1000) * perSecond) {
      answers.push(connections.get());
    }
    await sleep(1);
  }
  const times = await Promise.all(answers);
  connections.close();
  return times;
}

/** Asks as fast as there are answers. Resolves with the requests a second. */
export async function saturate(port, forMs) {
  const connections = new Connections(port);
  const until = performance.now() + forMs;
  let answered = 0;
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    while (performance.now() < until) {
      await connections.get();
      answered += 1;
    }
  }));
  connections.close();
  return answered / (forMs / 1000);
}
