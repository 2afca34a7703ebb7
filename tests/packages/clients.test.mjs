// `@emp/events` as npm packs it, in a fresh project of each kind: it is installed, compiled and run against a Redis.
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { PATIENCE_MS, temporaryFolder } from '../../clients/typescript/tests/redis.mjs';
import { Workbench, here, run, tool } from './projects.mjs';

/** Both runners give a test five seconds, which a busy machine exceeds. */
const unhurried = `--testTimeout=${PATIENCE_MS}`;

const bench = await Workbench.start();
after(() => bench.end());

// Two at once: what a project waits for is mostly npm.
describe('@emp/events', { concurrency: 2 }, () => {
  test('ES modules', (t) => tells(t, 'esm', ['esm'], ({ node }) => node('main.mjs')));

  test('CommonJS', (t) => tells(t, 'cjs', ['cjs'], ({ node }) => node('main.cjs')));

  test('TypeScript, as Node resolves', (t) => tells(t, 'node16', ['node16-cts', 'node16-mts'], async ({ node, use }) => {
    await use('tsc', '-p', '.');
    await node('out/mts.mjs');
    await node('out/cts.cjs');
  }));

  test('TypeScript, as bundlers resolve', (t) => tells(t, 'bundler', ['bundler'], async ({ node, use, alone }) => {
    await use('tsc', '-p', '.');
    await use('esbuild', 'out/main.js', '--bundle', '--platform=node', '--format=esm', '--outfile=out/all.mjs',
      // What is CommonJS asks for Node's own modules by `require`.
      "--banner:js=import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);");
    await node(alone('out/all.mjs'));
  }));

  test('Vitest', (t) => tells(t, 'vitest', ['vitest'], ({ use }) => use('vitest', 'run', unhurried)));

  test('Jest', (t) => tells(t, 'jest', ['jest'], ({ use }) => use('jest', unhurried)));

  test('esbuild', (t) => tells(t, 'esbuild', ['esbuild'], async ({ node, use, alone }) => {
    await use('esbuild', 'main.mjs', '--bundle', '--platform=node', '--outfile=out/main.cjs');
    await node(alone('out/main.cjs'));
  }));

  test('webpack', (t) => tells(t, 'webpack', ['webpack'], async ({ node, use, folder }) => {
    await use('webpack', '--config', 'webpack.config.cjs');
    await node(join(folder, 'out/main.cjs'));
  }));

  test('the package has no faults that publint or attw know', async () => {
    await run(tool('publint'), ['run', bench.packed, '--strict'], here);
    // `--pack` would build it once more. Nothing is left out of what it looks at.
    await run(tool('attw'), [bench.packed, '--no-color', '--no-emoji'], here);
  });
});

/** Makes a project, and sees that these services have told Redis of it. */
async function tells(t, name, services, use) {
  const folder = await bench.project(name);
  await use({
    folder,
    node: (file) => run(process.execPath, [file], folder, { ...bench.environment, SERVICE: name }),
    use: (program, ...words) => run(tool(program), words, folder, bench.environment),
    /** The file where there are no packages beside it. */
    alone: (file) => {
      const copy = join(temporaryFolder(t), basename(file));
      copyFileSync(join(folder, file), copy);
      return copy;
    },
  });
  const told = await bench.told();
  assert.deepEqual(told.filter(({ service }) => services.includes(service)), services.map((service) => ({ service, eventType: 'package.tried' })));
}
