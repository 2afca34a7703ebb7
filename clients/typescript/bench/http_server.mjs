// An API server that records what it does in one of the ways there are.
import { createServer } from 'node:http';
import { RECORDERS } from './http_recorders.mjs';
import { handleJob } from './http_work.mjs';

const { around, record } = RECORDERS[process.env.BENCH_RECORDER]();

function answer(response) {
  const job = handleJob();
  const reply = () => response.writeHead(201, headers(job)).end(job.text);
  const recorded = record(job);
  if (recorded) {
    recorded.then(reply);
  } else {
    reply();
  }
}

function headers({ text }) {
  return { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
}

const server = createServer((_, response) => around(() => answer(response)));
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
// Whoever measures asks for the CPU time used so far.
process.on('message', () => process.send(process.cpuUsage()));
