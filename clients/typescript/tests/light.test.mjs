// What an application loads with this package: only what it uses.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'node:test';
import { PATIENCE_MS } from './redis.mjs';

const here = fileURLToPath(new URL('..', import.meta.url));

const imports = {
  module: `const { EventClient } = await import('@emp/events')`,
  commonjs: `const { EventClient } = require('@emp/events')`,
};

/** What a process has loaded after some code: modules of Node's own, and files of CommonJS. */
async function loadedBy(kind, code) {
  const tell = `const { Module } = await import('node:module');
    process.stdout.write(JSON.stringify({ builtin: process.moduleLoadList, files: Object.keys(Module._cache) }));
    process.exit(0);`;
  const words = [`--input-type=${kind}`, '--eval', `(async () => {\n${code};\n${tell}\n})();`];
  const { stdout } = await promisify(execFile)(process.execPath, words, { cwd: here });
  return JSON.parse(stdout);
}

for (const [kind, load] of Object.entries(imports)) {
  const runs = {
    imported: load,
    'switched off': `${load}; new EventClient('a', { enabled: false }).event('a.b')`,
    'on a connection that is lent': `${load};
      const redis = { isReady: true, sendCommand: async () => '1-0' };
      const client = new EventClient('a', { enabled: true, redis });
      client.event('a.b');
      if (!(await client.flush(${PATIENCE_MS}))) throw new Error('it was not sent')`,
  };
  for (const [what, code] of Object.entries(runs)) {
    test(`${kind}: ${what}, it loads neither a Redis client nor what connects`, async () => {
      const { files } = await loadedBy(kind, code);
      assert.deepEqual(files.filter((file) => /redis|open_transport/.test(file)), []);
    });
  }

  test(`${kind}: imported, it loads nothing of Node that costs more than itself`, async () => {
    const [before, after] = [await loadedBy(kind, ''), await loadedBy(kind, load)].map(({ builtin }) => new Set(builtin));
    for (const module of ['net', 'tls', 'crypto', 'fs/promises', 'timers/promises']) {
      const name = `NativeModule ${module}`;
      assert.ok(before.has(name) || !after.has(name), `${module} is loaded`);
    }
  });
}

test('with the first event over a connection of its own, it loads what connects', async () => {
  // Else the tests above would say nothing.
  const { files } = await loadedBy('module', `${imports.module};
    // A process that has nothing to do ends, and tells nothing.
    const busy = setInterval(() => {}, 1_000);
    await new Promise((told) => {
      new EventClient('a', { enabled: true, url: 'redis://127.0.0.1:1', onProblem: told }).event('a.b');
    });
    clearInterval(busy)`);
  assert.ok(files.some((file) => /@redis.client/.test(file)));
});
