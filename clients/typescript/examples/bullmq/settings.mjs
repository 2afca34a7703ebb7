// What the processes of the application share: where things are, and how soon BullMQ gives a worker up.
const { env } = process;

export const QUEUE = 'images';
export const WEBHOOKS = 'webhooks';
export const connection = { url: env.REDIS_URL ?? 'redis://127.0.0.1:6379' };
export const API_PORT = Number(env.API_PORT ?? 3000);
/** The connectors and the customer. */
export const OUTSIDE = `http://127.0.0.1:${env.OUTSIDE_PORT ?? 3001}`;
export const LOCK_MS = Number(env.LOCK_MS ?? 30_000);
export const STALLED_CHECK_MS = Number(env.STALLED_CHECK_MS ?? 30_000);

/** How many jobs a worker has at once. */
export const CONCURRENCY = Number(env.CONCURRENCY ?? 10);

/** Jobs have ids of the application's own, which are no other job's in whichever queue. */
export const jobId = ({ id }) => id;

/** Sends JSON to what lies outside. */
export function post(path, body) {
  return fetch(`${OUTSIDE}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/** Ends the process as it is asked to, once what it has begun is done. */
export function endWith(...ends) {
  process.once('SIGTERM', async () => {
    for (const end of ends) {
      await end();
    }
    process.exit(0);
  });
}
