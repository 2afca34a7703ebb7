// The work of one request of the HTTP benchmark, about what a small API does without its database.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

const SECRET = 'not a secret';
const TOKEN = sign('user_1');

/** What a client would have posted: a job with the parameters of its 40 steps, 5 kB. */
const BODY = JSON.stringify({
  type: 'image',
  priority: 'normal',
  prompt: 'a lighthouse in the rain, seen from the sea',
  steps: Array.from({ length: 40 }, (_, index) => ({
    name: `step_${index}`,
    model: 'sdxl-1.0',
    sampler: 'dpm++ 2m',
    seed: 1_000_003 * index,
    scale: index / 7,
    tags: ['night', 'storm', 'oil on canvas'],
  })),
});

let jobs = 0;

/** Checks the caller's token, reads and checks a job, makes its cache key, and builds the answer. */
export function handleJob() {
  if (!timingSafeEqual(Buffer.from(sign('user_1')), Buffer.from(TOKEN))) {
    throw new Error('not allowed');
  }
  const job = JSON.parse(BODY);
  const steps = job.steps.filter(({ name, scale }) => /^step_\d+$/.test(name) && scale < 100);
  const key = createHash('sha256').update(JSON.stringify(steps)).digest('hex');
  jobs += 1;
  const answer = { id: `job_${jobs}`, key, status: 'queued', createdAt: new Date().toISOString(), ...job, steps };
  return { id: answer.id, type: job.type, priority: job.priority, text: JSON.stringify(answer) };
}

function sign(user) {
  return createHmac('sha256', SECRET).update(user).digest('base64url');
}
