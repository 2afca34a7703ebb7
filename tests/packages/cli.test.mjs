// `@emp/events-cli` as `make package` makes it: installed by npm alone, and asked.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { RedisServer, temporaryFolder, until } from '../../clients/typescript/tests/redis.mjs';
import { here, run } from './projects.mjs';
import { serve } from './registry.mjs';

const dist = join(here, '../../dist');
const sample = join(here, '../../data/sample');
const job = 'job_n6kuhz4kghuv';
const ends = [];
after(() => Promise.all(ends.map((end) => end())));
const packed = readdirSync(dist).filter((name) => /^emp-events-cli-.*\.tgz$/.test(name)).map((name) => join(dist, name));
const registry = await serve({ after: (end) => ends.push(end) }, packed);

/** An empty project, with npm's own folders beside it, and what the README advises in its `package.json`. */
function project(t) {
  const folder = temporaryFolder(t);
  const readme = readFileSync(join(here, '../../packaging/npm/cli/README.md'), 'utf8');
  const [, advised] = /```json\n([^`]*)```/.exec(readme);
  writeFileSync(join(folder, 'package.json'), advised);
  const environment = { npm_config_cache: join(folder, '.npm'), npm_config_registry: registry, EMP_EVENTS_TZ: 'UTC' };
  return { folder, npm: (program, words, more = {}) => run(program, words, folder, { ...environment, ...more }) };
}

test('npx runs it without a project', async (t) => {
  const { npm } = project(t);
  const words = ['--yes', '--package', '@emp/events-cli', 'emp-events', '--store', sample, '--format', 'table', 'diagnose', job];
  assert.match(await npm('npx', words), /STUCK +job_n6kuhz4kghuv/);
});

test('in a project, its scripts are those that the README advises', async (t) => {
  const began = performance.now();
  const { folder, npm } = project(t);
  await npm('npm', ['install', '--save-dev', '@emp/events-cli', '--no-audit', '--no-fund']);
  assert.deepEqual(readdirSync(join(folder, 'node_modules/@emp')), ['events-cli', `events-cli-${process.platform}-${process.arch}`]);
  const store = { EMP_EVENTS_STORE: sample };
  assert.match(await npm('npx', ['emp-events', '--format', 'table', 'diagnose', job], store), /STUCK +job_n6kuhz4kghuv/);
  t.diagnostic(`npm: installed and asked after ${((performance.now() - began) / 1000).toFixed(1)} s`);

  const { events } = JSON.parse(await npm('npm', ['run', '--silent', 'debug:events:job', '--', job, '--format', 'json'], store));
  assert.ok(events.length > 3);
  const found = await npm('npm', ['run', '--silent', 'debug:events', '--', '--job-id', job], store);
  assert.equal(found.trim().split('\n').length, events.length);

  const redis = await RedisServer.start(t);
  const live = { REDIS_URL: redis.url };
  mkdirSync(join(folder, 'data'));
  await npm('npx', ['emp-events', 'emit', 'job.created', '--service', 'api-server', '--job-id', 'job_1'], live);
  await npm('npm', ['run', '--silent', 'dev:telemetry', '--', '--once'], live);
  assert.match(await npm('npm', ['run', '--silent', 'debug:events', '--', '--job-id', 'job_1'], live), /job\.created/);
  assert.match(await npm('npm', ['run', '--silent', 'debug:events:stream', '--', '--help'], live), /tail/);
  assert.match(await npm('npm', ['run', '--silent', 'debug:events:health', '--', '--help'], live), /health/);
});

test('its exit status is the program’s, and signals reach it', async (t) => {
  const { folder, npm } = project(t);
  await npm('npm', ['install', '@emp/events-cli', '--no-audit', '--no-fund']);
  const program = join(folder, 'node_modules/.bin/emp-events');
  for (const [words, status] of [[['--store', sample, 'diagnose', job], 0], [['diagnose', '--no-such'], 2]]) {
    const [ended] = await once(spawn(program, words, { stdio: 'ignore' }), 'exit');
    assert.equal(ended, status);
  }
  const redis = await RedisServer.start(t);
  await redis.command('XADD', 'emp:events', '1-1', 'timestamp', '1', 'service', 'a', 'eventType', 'a.b', 'data', '{}');
  const environment = { ...process.env, REDIS_URL: redis.url, EMP_EVENTS_STORE: join(folder, 'store') };
  const collector = spawn(program, ['collect'], { stdio: 'ignore', env: environment });
  // It was given the event, and has acknowledged it: so it is there, and would go on.
  await until(async () => (await redis.command('XINFO', 'GROUPS', 'emp:events'))[0]?.includes('1-1')
    && (await redis.command('XPENDING', 'emp:events', 'emp-collector'))[0] === 0);
  collector.kill('SIGTERM');
  assert.deepEqual(await once(collector, 'exit'), [0, null]);
});

test('where the platform’s package is left out, it says so', async (t) => {
  const { folder, npm } = project(t);
  await npm('npm', ['install', '@emp/events-cli', '--omit=optional', '--no-audit', '--no-fund']);
  await assert.rejects(npm('npx', ['emp-events', '--version']), /install without --omit=optional/);
  assert.deepEqual(readdirSync(join(folder, 'node_modules/@emp')), ['events-cli']);
});
