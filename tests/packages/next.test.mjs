// `@emp/events` in an application of Next.js: it is built, served, and asked.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { PATIENCE_MS, freePort, until } from '../../clients/typescript/tests/redis.mjs';
import { Workbench, run, tool } from './projects.mjs';

test('Next.js', async (t) => {
  const bench = await Workbench.start();
  t.after(() => bench.end());
  const folder = await bench.project('next');
  const environment = { ...bench.environment, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' };
  await run(tool('next'), ['build'], folder, environment);
  const port = await freePort();
  const server = spawn(process.execPath, [tool('next'), 'start', '--port', String(port), '--hostname', '127.0.0.1'], {
    cwd: folder,
    env: { ...process.env, ...environment, NODE_TEST_CONTEXT: '' },
    stdio: 'ignore',
  });
  t.after(async () => {
    if (server.exitCode === null && server.kill('SIGKILL')) {
      await once(server, 'exit');
    }
  });
  const address = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(address)).ok, PATIENCE_MS);
  assert.deepEqual(await (await fetch(`${address}/emit`)).json(), { sent: true });
  assert.deepEqual(await bench.told(), [{ service: 'next', eventType: 'package.tried' }]);
});
