// However a process ends: each of its events is sent, in the spool, or counted as dropped.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { PATIENT, here, run } from './processes.mjs';
import { RedisServer, temporaryFolder, until } from './redis.mjs';

/** A client with events in the queue, which says at the exit where they all went. */
const START = `
  import { writeSync } from 'node:fs';
  import { EventClient } from '@emp/events';
  const client = new EventClient('x', { ...${PATIENT}, ratePerSecond: 0, maxQueueEvents: 20_000 });
  const emit = (count) => { for (let n = 0; n < count; n += 1) client.event('exit.tried', { n }); };
  emit(300);
  process.on('exit', () => writeSync(1, JSON.stringify(client.stats())));`;
const STAY = `setInterval(() => {}, 1000); writeSync(1, 'ready');`;
const AWAY = 'redis://127.0.0.1:1';

/** How a process may end while its 300 events wait: the script, and the signal it gets. */
const ENDS = {
  'process.exit at once': { script: 'process.exit(0);' },
  'process.exit in the next turn': { script: 'setImmediate(() => process.exit(0));' },
  'an error that nobody catches': { script: `setImmediate(() => { throw new Error('mine'); });` },
  'a rejection that nobody catches': { script: `Promise.reject(new Error('mine'));` },
  'SIGTERM with a handler that exits at once': { script: `process.on('SIGTERM', () => process.exit(0)); ${STAY}`, signal: 'SIGTERM' },
};

/** The lines of all files of a spool. Checks what the importer relies on. */
function spooledLines(folder) {
  return readdirSync(folder).flatMap((name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
    const numbers = lines.map(({ uid }) => Number(uid.split(':')[1]));
    assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b), 'a lower number must not come later');
    assert.equal(new Set(numbers).size, numbers.length);
    return lines;
  });
}

function statsIn({ stdout }) {
  const stats = JSON.parse(stdout.slice(stdout.indexOf('{')));
  assert.equal(stats.emitted, stats.sent + stats.sampled + stats.dropped + stats.spooled + stats.queued);
  return stats;
}

for (const [name, { script, signal }] of Object.entries(ENDS)) {
  test(`${name}: with a spool, all events are in it`, async (t) => {
    const folder = temporaryFolder(t);
    const ended = await run(`${START} ${script}`, { url: AWAY, signal, env: { EMP_EVENTS_SPOOL: folder } });
    const { spooled, queued } = statsIn(ended);
    assert.deepEqual([spooled, queued, spooledLines(folder).length], [300, 0, 300]);
  });

  test(`${name}: without a spool, all events are counted as dropped`, async () => {
    const { reasons, queued } = statsIn(await run(`${START} ${script}`, { url: AWAY, signal }));
    assert.deepEqual([reasons, queued], [{ closed: 300 }, 0]);
  });
}

test('process.exit while a server that does not answer is being connected to', async (t) => {
  const mute = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  t.after(() => mute.close());
  await once(mute, 'listening');
  const folder = temporaryFolder(t);
  const script = `${START} process.stdin.once('data', () => process.exit(0)); writeSync(1, 'ready');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: here,
    env: { ...process.env, REDIS_URL: `redis://127.0.0.1:${mute.address().port}`, EMP_EVENTS_SPOOL: folder },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  await once(mute, 'connection');
  child.stdin.write('x');
  await once(child, 'close');
  assert.equal(spooledLines(folder).length, 300);
});

test('process.exit while events are being written to the spool', async (t) => {
  const folder = temporaryFolder(t);
  const script = `${START}
    emit(15_000);
    for (; client.stats().spooled === 0; ) {
      emit(1);
      await new Promise((done) => setTimeout(done, 1));
    }
    // Some of them are on their way to the disk at the very end, and some behind them.
    emit(3_000);
    setImmediate(() => process.exit(0));`;
  const { emitted, spooled } = statsIn(await run(script, { url: AWAY, env: { EMP_EVENTS_SPOOL: folder } }));
  const lines = spooledLines(folder);
  assert.deepEqual([spooled, lines.length], [emitted, emitted]);
  assert.equal(new Set(lines.map(({ uid }) => uid)).size, emitted);
});

test('what an exit handler emits, after all others, is not lost', async (t) => {
  const folder = temporaryFolder(t);
  const script = `${START} process.on('exit', () => emit(5)); process.exit(0);`;
  await run(script, { url: AWAY, env: { EMP_EVENTS_SPOOL: folder } });
  assert.equal(spooledLines(folder).length, 305);
});

test('without a spool, the application is told what was lost', async () => {
  const script = `
    import { EventClient } from '@emp/events';
    new EventClient('x', { onProblem: 'stderr' }).event('a.b');
    process.exit(0);`;
  const { stderr } = await run(script, { url: AWAY });
  assert.equal(stderr, 'emp-events: the process ended with 1 events unsent, and there is no spool\n');
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} without a handler: what Redis takes is sent, and the process ends by the signal`, async (t) => {
    const server = await RedisServer.start(t);
    const { by } = await run(`${START} ${STAY}`, { url: server.url, signal });
    assert.deepEqual([by, await server.added()], [signal, 300]);
  });

  test(`${signal} without a handler: with Redis away all events are in the spool`, async (t) => {
    const folder = temporaryFolder(t);
    const { by } = await run(`${START} ${STAY}`, { url: AWAY, signal, env: { EMP_EVENTS_SPOOL: folder } });
    assert.deepEqual([by, spooledLines(folder).length], [signal, 300]);
  });
}

test('listeners of signal-exit are no handlers of the application: the signal ends the process', async (t) => {
  const server = await RedisServer.start(t);
  const script = `import { onExit } from 'signal-exit'; onExit(() => {}); ${START} ${STAY}`;
  const { by } = await run(script, { url: server.url, signal: 'SIGTERM' });
  assert.deepEqual([by, await server.added()], ['SIGTERM', 300]);
});

test('SIGKILL leaves what was spooled before', async (t) => {
  const folder = temporaryFolder(t);
  const script = `${START}
    emit(15_000);
    for (; client.stats().spooled === 0; ) {
      emit(1);
      await new Promise((done) => setTimeout(done, 1));
    }
    writeSync(1, JSON.stringify(client.stats()));
    process.kill(process.pid, 'SIGKILL');`;
  const ended = await run(script, { url: AWAY, env: { EMP_EVENTS_SPOOL: folder } });
  assert.equal(ended.by, 'SIGKILL');
  assert.ok(spooledLines(folder).length >= statsIn(ended).spooled);
});

test('a worker thread that exits leaves its events in the spool', async (t) => {
  const folder = temporaryFolder(t);
  const script = `
    import { Worker } from 'node:worker_threads';
    const code = ${JSON.stringify(`${START} process.exit(0);`)};
    new Worker(new URL('data:text/javascript,' + encodeURIComponent(code.replace("'@emp/events'", JSON.stringify(import.meta.resolve('@emp/events'))))));`;
  const { code, stderr } = await run(script, { url: AWAY, env: { EMP_EVENTS_SPOOL: folder } });
  assert.deepEqual([code, stderr, spooledLines(folder).length], [0, '', 300]);
});

for (const useWorkerThreads of [false, true]) {
  test(`BullMQ’s sandboxed processors in ${useWorkerThreads ? 'threads' : 'processes'}: the last events of each are kept`, async (t) => {
    const { Queue, Worker } = await import('bullmq');
    const server = await RedisServer.start(t);
    const folder = temporaryFolder(t);
    const connection = { host: '127.0.0.1', port: server.port };
    const queue = new Queue('q', { connection });
    t.after(() => queue.close());
    const counts = temporaryFolder(t);
    const env = { REDIS_URL: server.url, EMP_EVENTS_SPOOL: folder, COUNTS: counts };
    Object.assign(process.env, env);
    t.after(() => Object.keys(env).forEach((name) => delete process.env[name]));
    const worker = new Worker('q', join(here, 'sandboxed.mjs'), { connection, useWorkerThreads, concurrency: 4 });
    const done = new Promise((resolve) => {
      let count = 0;
      worker.on('completed', () => (count += 1) === 20 && resolve());
    });
    await queue.addBulk(Array.from({ length: 20 }, (_, n) => ({ name: 'job', data: { n } })));
    await done;
    await worker.close();
    const ends = readdirSync(counts).map((name) => JSON.parse(readFileSync(join(counts, name), 'utf8')));
    const total = (count) => ends.reduce((sum, stats) => sum + (count(stats) ?? 0), 0);
    assert.equal(total((stats) => stats.sent + stats.spooled + stats.dropped), 20, JSON.stringify(ends));
    assert.equal(spooledLines(folder).length, total((stats) => stats.spooled));
    // One that was under way when its processor ended may have arrived: it is counted as dropped all the same.
    const unanswered = total((stats) => stats.reasons.unanswered);
    assert.equal(total((stats) => stats.dropped), unanswered, JSON.stringify(ends));
    const arrived = (await server.added()) - total((stats) => stats.sent);
    assert.ok(arrived >= 0 && arrived <= unanswered, `${arrived} arrived of ${unanswered} that nobody answered`);
  });
}
