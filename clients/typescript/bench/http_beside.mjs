// What runs beside the server of the HTTP benchmark: `flood <port>` or `sink`.
import { createServer } from 'node:http';
import { connect } from 'node:net';

const KEYS = 100;
const VALUE = 'x'.repeat(64 * 1024);

/** Hammers Redis with writes of 64 KiB, in a pipeline without end. */
function flood(port) {
  const bulk = (text) => `$${text.length}\r\n${text}\r\n`;
  const writes = Array.from({ length: KEYS }, (_, key) => `*3\r\n${bulk('SET')}${bulk(`flood:${key}`)}${bulk(VALUE)}`).join('');
  const socket = connect(port, '127.0.0.1', () => process.send('flooding'));
  const write = () => {
    while (socket.write(writes)) {
      // Until the socket is full.
    }
  };
  socket.on('drain', write).resume();
  write();
}

/** Swallows whatever is posted. */
function sink() {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
  });
  server.listen(0, '127.0.0.1', () => process.send(`http://127.0.0.1:${server.address().port}/v1/traces`));
}

const [role, port] = process.argv.slice(2);
({ flood, sink })[role](Number(port));
