// Measures the client and prints Markdown tables.
//
//   npm run bench                      everything, about four minutes
//   npm run bench -- --only http       one part: calls, throughput, memory, http
//   npm run bench -- --seconds 60      how long Redis is down in the memory part (default 10)
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { callCost, throughput } from './calls.mjs';
import { httpCost } from './http.mjs';
import { memory } from './memory.mjs';

const { values } = parseArgs({
  options: { only: { type: 'string' }, seconds: { type: 'string', default: '10' } },
});
const PARTS = {
  calls: callCost,
  throughput,
  memory: () => memory(Number(values.seconds)),
  http: httpCost,
};

console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}\n`);
for (const [name, part] of Object.entries(PARTS)) {
  if (!values.only || values.only === name) {
    console.log(await part());
  }
}
