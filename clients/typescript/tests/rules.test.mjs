import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../build/address.js';
import { Breaker } from '../build/breaker.js';
import { TokenBucket } from '../build/bucket.js';
import { defaultLevel, parseLevel } from '../build/level.js';
import { EventQueue } from '../build/queue.js';
import { findRedirect } from '../build/redirect.js';
import { RedisRefusal } from '../build/reply.js';
import { SampleRates, parseSampleRates, sampleFraction } from '../build/sampling.js';
import { resolveSettings } from '../build/settings.js';

const MASK = (1n << 64n) - 1n;

/** The hash once more, in big integers throughout. */
function referenceFraction(key) {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(key)) {
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & MASK;
  }
  hash = ((hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn) & MASK;
  hash = ((hash ^ (hash >> 33n)) * 0xc4ceb9fe1a85ec53n) & MASK;
  return Number((hash ^ (hash >> 33n)) >> 11n) / 2 ** 53;
}

test('the hash is FNV-1a with the finaliser of MurmurHash3, and even', () => {
  let below = 0;
  for (let index = 0; index < 5_000; index += 1) {
    const key = `job_${index}🎉`;
    assert.equal(sampleFraction(key), referenceFraction(key));
    below += sampleFraction(key) < 0.1 ? 1 : 0;
  }
  assert.ok(below > 420 && below < 580, `${below} of 5,000 are below 0.1`);
  assert.equal(sampleFraction(''), referenceFraction(''));
});

test('sample rates are found by name, then by pattern', () => {
  const rates = new SampleRates(parseSampleRates('job.progress_updated=0.1, websocket.*=0.5, bad, x=nine,all=1,none=0'));
  assert.equal(rates.rateOf('job.progress_updated'), 0.1);
  assert.equal(rates.rateOf('websocket.connected'), 0.5);
  assert.equal(rates.rateOf('job.created'), undefined);
  assert.equal(rates.rateOf('all'), undefined);
  assert.equal(rates.rateOf('none'), 0);
});

test('a token bucket permits its burst, then its rate', () => {
  const bucket = new TokenBucket(1_000, 2_000, 0);
  const take = (count, nowMs) => Array.from({ length: count }, () => bucket.take(nowMs)).filter(Boolean).length;
  assert.equal(take(3_000, 0), 2_000);
  assert.equal(take(100, 50), 50);
  assert.equal(take(100, 10), 0, 'a clock set back refills nothing');
  assert.equal(take(5_000, 60_000), 2_000, 'no more than the burst is saved up');
});

test('names say what failed', () => {
  for (const type of ['job.failed', 'connector.processing_failed', 'api.error', 'x_error', 'error', 'worker.crashed', 'job.timed_out']) {
    assert.equal(defaultLevel(type), 'error', type);
  }
  for (const type of ['job.created', 'job.failed_over', 'terror', 'errors.counted', 'failed.job']) {
    assert.equal(defaultLevel(type), 'info', type);
  }
});

test('levels are read as other loggers say them', () => {
  const read = (...given) => given.map(parseLevel);
  assert.deepEqual(read('TRACE', 20, ' debug '), ['debug', 'debug', 'debug']);
  assert.deepEqual(read('Warning', '40'), ['warn', 'warn']);
  assert.deepEqual(read('err', 'fatal', 'CRITICAL', 'panic', 60), Array.from({ length: 5 }, () => 'error'));
  assert.deepEqual(read('loud', null, 'constructor'), [undefined, undefined, undefined]);
});

test('the circuit opens with the third failure and probes ever less often', () => {
  const breaker = new Breaker();
  breaker.failed(0);
  breaker.failed(0);
  assert.equal(breaker.open, false);
  assert.ok(breaker.waitMs(0) <= 120);
  for (const nominal of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    breaker.failed(0);
    assert.equal(breaker.open, true);
    assert.ok(breaker.waitMs(0) >= nominal * 0.8 && breaker.waitMs(0) <= nominal * 1.2);
  }
  breaker.hurry();
  assert.equal(breaker.waitMs(0), 0);
  breaker.succeeded();
  assert.equal(breaker.open, false);
});

test('the queue is bounded in events and in bytes, and keeps its order', () => {
  const queue = new EventQueue(3, 100);
  const event = (n, bytes = 10) => ({ n, bytes });
  assert.deepEqual([1, 2, 3, 4].map((n) => queue.push(event(n))), [true, true, true, false]);
  const taken = queue.take(2);
  assert.equal(queue.push(event(5, 91)), false);
  assert.ok(queue.push(event(5, 90)));
  queue.putBack(taken);
  assert.deepEqual(queue.take(9).map(({ n }) => n), [1, 2, 3, 5]);
  assert.equal(queue.fill, 0);
});

test('addresses of all kinds are read', () => {
  const part = (url, ...keys) => keys.map((key) => parseAddress(url)[key]);
  assert.deepEqual(part('redis://h', 'kind', 'nodes', 'tls', 'database'), ['single', [{ host: 'h', port: 6379 }], false, 0]);
  assert.deepEqual(part('rediss://u:p%40ss@h:1/3', 'tls', 'username', 'password', 'database'), [true, 'u', 'p@ss', 3]);
  assert.deepEqual(part('redis://:secret@[::1]:2', 'username', 'password', 'nodes'), [undefined, 'secret', [{ host: '::1', port: 2 }]]);
  assert.deepEqual(part('redis+sentinel://u:p@a,b:7/main/2', 'kind', 'nodes', 'master', 'database'), [
    'sentinel', [{ host: 'a', port: 26379 }, { host: 'b', port: 7 }], 'main', 2,
  ]);
  assert.deepEqual(part('redis+cluster://a:1,b:2', 'kind', 'nodes'), ['cluster', [{ host: 'a', port: 1 }, { host: 'b', port: 2 }]]);
  assert.equal(parseAddress('unix:///run/redis.sock').path, '/run/redis.sock');
});

test('a login is read as other clients read it', () => {
  const login = (url) => {
    const { username, password, nodes } = parseAddress(url);
    return [username, password, nodes[0].host];
  };
  assert.deepEqual(login('redis://u:a@b:c@h'), ['u', 'a@b:c', 'h']);
  assert.deepEqual(login('redis://u:100%25%zz%C3%BC@h'), ['u', '100%%zzü', 'h']);
  assert.deepEqual(login('redis://name@h'), ['name', undefined, 'h']);
  const { path, database, username, password } = parseAddress('unix:///run/redis.sock?db=2&user=u&pass=p%40');
  assert.deepEqual([path, database, username, password], ['/run/redis.sock', 2, 'u', 'p@']);
});

test('what is no address is shown to nobody, and leads nowhere', () => {
  for (const url of [
    'user:s3cret@host:6379', 'redis:/user:s3cret@h', 'http://u:s3cret@h', 'redis://u:s3cret#1@h', 'redis://u:s3cret/1@h', 'redis://u:1/s3cret@h',
    'redis://', 'redis://:6379', 'redis://::1:6379', 'redis://h:port', 'redis://h/db', 'redis+sentinel://s3cret@h/main/x',
  ]) {
    assert.throws(() => parseAddress(url), (error) => !/s3cret|user|h:/.test(error.message.split(':')[0]) && !error.message.includes('s3cret'), url);
  }
});

test('the first redirect is found, with all that got the same one', () => {
  const [here, there] = [new RedisRefusal('ASK 7 ::1:6380'), new RedisRefusal('MOVED 7 node-2.example:6381')];
  const answers = [new RedisRefusal('OOM'), undefined, '1-0', here, there, new RedisRefusal(here.message), null];
  assert.deepEqual(findRedirect(answers), { node: { host: '::1', port: 6380 }, asking: true, indexes: [3, 5] });
  assert.deepEqual(findRedirect([there]), { node: { host: 'node-2.example', port: 6381 }, asking: false, indexes: [0] });
  assert.equal(findRedirect([new RedisRefusal('MOVED 7 :6381'), '1-0', 5, undefined]), undefined, 'it says not where');
});

test('settings come from the options, then the environment, then the defaults', () => {
  assert.equal(resolveSettings({}, {}).url, 'redis://127.0.0.1:6379');
  assert.equal(resolveSettings({}, { REDIS_HOST: 'h', REDIS_PORT: '7' }).url, 'redis://h:7');
  assert.equal(resolveSettings({}, { REDIS_URL: 'redis://u', REDIS_HOST: 'h' }).url, 'redis://u');
  assert.equal(resolveSettings({ url: 'redis://o' }, { REDIS_URL: 'redis://u' }).url, 'redis://o');
  assert.equal(resolveSettings({}, { EMP_EVENTS_STREAM: 's' }).stream.name, 's');
  assert.equal(resolveSettings({}, { EMP_EVENTS_LEVEL: 'WARN' }).level, 'warn');
  assert.equal(resolveSettings({ level: 'nonsense' }, {}).level, 'debug');
  assert.equal(resolveSettings({}, { EMP_EVENTS_SPOOL: '/s' }).spool.folder, '/s');
  assert.equal(resolveSettings({ maxQueueEvents: -1 }, {}).maxQueueEvents, 10_000);
});

test('a switch is on or off in many words, and any other is told of', () => {
  const read = (text) => resolveSettings({}, { TELEMETRY_ENABLED: text });
  for (const text of ['0', 'false', 'No', ' OFF ']) {
    assert.deepEqual([read(text).enabled, read(text).complaints], [false, []], text);
  }
  for (const text of [undefined, '', '1', 'TRUE', 'yes', 'on']) {
    assert.deepEqual([read(text).enabled, read(text).complaints], [true, []], text);
  }
  assert.equal(read('maybe').enabled, true);
  assert.match(read('maybe').complaints[0], /^TELEMETRY_ENABLED/);
  assert.match(resolveSettings({}, { EMP_EVENTS_LEVEL: 'loud' }).complaints[0], /^EMP_EVENTS_LEVEL/);
});

test('in a test runner nothing is written unless that is asked for', () => {
  for (const name of ['VITEST', 'JEST_WORKER_ID', 'NODE_TEST_CONTEXT']) {
    const env = { [name]: '1', REDIS_URL: 'redis://h' };
    assert.equal(resolveSettings({}, env).enabled, false, name);
    assert.equal(resolveSettings({ enabled: true }, env).enabled, true);
    assert.equal(resolveSettings({}, { ...env, TELEMETRY_ENABLED: 'true' }).enabled, true);
  }
});

test('host and port come as people and Kubernetes set them', () => {
  const url = (env) => resolveSettings({}, env).url;
  assert.equal(url({ REDIS_HOST: '::1' }), 'redis://[::1]:6379');
  assert.equal(url({ REDIS_PORT: 'tcp://10.0.0.1:6380' }), 'redis://10.0.0.1:6380');
  assert.equal(url({ REDIS_HOST: 'h', REDIS_PORT: 'tcp://10.0.0.1:6380' }), 'redis://h:6380');
  assert.throws(() => parseAddress(url({ REDIS_PORT: 'nonsense' })));
  assert.match(resolveSettings({}, { REDIS_PORT: 'nonsense' }).complaints[0], /^REDIS_PORT/);
});
