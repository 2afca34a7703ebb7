// What lies outside the application: connectors, each of which may be slow or take no more for now, and the customer.
//
//   curl -X PUT localhost:3001/connectors/comfyui -H 'content-type: application/json' -d '{"ms": 2000}'
//   curl -X PUT localhost:3001/connectors/comfyui -H 'content-type: application/json' -d '{"refuses": 3}'
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import { OUTSIDE } from './settings.mjs';

/** How long each connector takes, and the calls that wait for it, which end at once where it is made quick again. */
const pace = new Map();
const USUAL_MS = 40;

const app = express();
app.use(express.json());

app.put('/connectors/:name', ({ params, body }, response) => {
  pace.get(params.name)?.abort.abort();
  pace.set(params.name, { ...body, abort: new AbortController() });
  response.sendStatus(204);
});

app.post('/connectors/:name', async ({ params, body }, response) => {
  const own = pace.get(params.name) ?? {};
  if (own.refuses > 0) {
    own.refuses -= 1;
    response.set('retry-after', '1').sendStatus(429);
    return;
  }
  const { ms = USUAL_MS * (0.8 + 0.4 * Math.random()), abort } = own;
  await sleep(ms, undefined, { signal: abort?.signal }).catch(() => {});
  // Nothing can be made of an empty prompt, however often it is tried.
  response.sendStatus(body.prompt === '' ? 422 : 204);
});

app.post('/customer', (_request, response) => response.sendStatus(204));

app.listen(new URL(OUTSIDE).port, '127.0.0.1', () => process.stdout.write('ready\n'));
