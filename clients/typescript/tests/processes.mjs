// Scripts that run as processes of their own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS, until } from './redis.mjs';

/** Options of a client whose server answers, however busy the machine. */
export const PATIENT = `{ connectTimeoutMs: ${PATIENCE_MS}, answerTimeoutMs: ${PATIENCE_MS}, exitTimeoutMs: ${PATIENCE_MS} }`;

export const here = fileURLToPath(new URL('.', import.meta.url));

/** Runs a script as a process of its own. Resolves with how it ended; one that does not end is killed. */
export async function run(script, { url, signal, env = {}, commonJs = false }) {
  const kind = commonJs ? [] : ['--input-type=module'];
  const child = spawn(process.execPath, ['--unhandled-rejections=strict', ...kind, '-e', script], {
    cwd: here,
    env: { ...process.env, REDIS_URL: url, ...env },
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].on('data', (chunk) => {
      output[name] += chunk;
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  const ended = once(child, 'close');
  if (signal) {
    await until(() => output.stdout.includes('ready'));
    child.kill(signal);
  }
  const [code, by] = await ended;
  clearTimeout(timer);
  return { code, by, ...output };
}
