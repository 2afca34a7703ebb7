import assert from 'node:assert/strict';
import { test } from 'node:test';
import vm from 'node:vm';
import { dataText } from '../build/data.js';
import { Redactor } from '../build/redact.js';

const redactor = new Redactor([]);

function written(data, bytesMax = 16_384) {
  const text = dataText(data, redactor, bytesMax, undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

test('what JSON cannot hold is described', () => {
  class Point {
    constructor() {
      this.x = 1;
    }
  }
  const data = {
    big: 12345678901234567890n,
    buffer: Buffer.from('abc'),
    floats: new Float64Array(3),
    raw: new ArrayBuffer(5),
    date: new Date(0),
    badDate: new Date(NaN),
    missing: undefined,
    call: () => 1,
    symbol: Symbol('s'),
    list: [undefined, () => 1, Symbol('s'), NaN],
    nan: NaN,
    infinite: -Infinity,
    map: new Map([['a', 1], [2, 'b']]),
    set: new Set([1, 'x']),
    pattern: /a+/g,
    boxed: Object('text'),
    link: new URL('https://example.test/a'),
    point: new Point(),
    bare: Object.assign(Object.create(null), { y: 2 }),
    foreign: vm.runInNewContext('({ list: [1, new Date(0)], map: new Map([["k", 1]]) })'),
  };
  assert.deepEqual(written(data), {
    big: '12345678901234567890',
    buffer: '[3 bytes]',
    floats: '[24 bytes]',
    raw: '[5 bytes]',
    date: '1970-01-01T00:00:00.000Z',
    badDate: 'Invalid Date',
    list: [null, null, null, 'NaN'],
    nan: 'NaN',
    infinite: '-Infinity',
    map: { a: 1, 2: 'b' },
    set: [1, 'x'],
    pattern: '/a+/g',
    boxed: 'text',
    link: 'https://example.test/a',
    point: { x: 1 },
    bare: { y: 2 },
    foreign: { list: [1, '1970-01-01T00:00:00.000Z'], map: { k: 1 } },
  });
});

test('cycles end, and what is shared is written twice', () => {
  const shared = { s: 1 };
  const data = { shared, again: shared, list: [] };
  data.self = data;
  data.list.push(data.list, { up: data });
  assert.deepEqual(written(data), {
    shared: { s: 1 },
    again: { s: 1 },
    list: ['[circular]', { up: '[circular]' }],
    self: '[circular]',
  });
});

test('errors keep their name, message, stack, code and cause', () => {
  const cause = Object.assign(new TypeError('inner'), { code: 'E_INNER' });
  const { error } = written({ error: new Error('outer', { cause }) });
  assert.equal(error.message, 'outer');
  assert.match(error.stack, /data\.test\.mjs/);
  assert.deepEqual([error.cause.name, error.cause.message, error.cause.code], ['TypeError', 'inner', 'E_INNER']);
  assert.equal(written(new RangeError('as data')).name, 'RangeError');
});

test('what throws when it is read is told, and the rest is kept', () => {
  const data = {
    kept: 1,
    get bad() {
      throw new Error('no');
    },
    json: {
      toJSON() {
        throw new Error('never');
      },
    },
    proxy: new Proxy({}, {
      ownKeys() {
        throw new Error('trap');
      },
    }),
    odd: {
      get worse() {
        throw { toString: () => { throw new Error(); } };
      },
    },
  };
  assert.deepEqual(written(data), {
    kept: 1,
    bad: '[unreadable: no]',
    json: '[unreadable: never]',
    proxy: '[unreadable: trap]',
    odd: { worse: '[unreadable]' },
  });
});

test('data that is no object becomes one', () => {
  assert.deepEqual(written(undefined), {});
  assert.deepEqual(written(null), {});
  assert.deepEqual(written('text'), { value: 'text' });
  assert.deepEqual(written(7), { value: 7 });
  assert.deepEqual(written([1, 2]), { value: [1, 2] });
  assert.deepEqual(written(new Date(0)), { value: '1970-01-01T00:00:00.000Z' });
  assert.deepEqual(written(() => 1), {});
});

test('a member named __proto__ is a member', () => {
  const data = JSON.parse('{"__proto__": {"admin": true}, "nested": {"__proto__": 1}}');
  assert.equal(dataText(data, redactor, 16_384, undefined), '{"__proto__":{"admin":true},"nested":{"__proto__":1}}');
});

test('half a surrogate pair is replaced, whole ones and backslashes stay', () => {
  const text = dataText({ a: '\ud83d', b: 'x\udf89y', c: '🎉', d: '\\ud83d', e: '\\\ud83d' }, redactor, 16_384, undefined);
  assert.deepEqual(JSON.parse(text), { a: '\ufffd', b: 'x\ufffdy', c: '🎉', d: '\\ud83d', e: '\\\ufffd' });
  assert.ok(!/\\ud[89a-f]/.test(text.replaceAll('\\\\', '')));
});

test('data is always valid JSON within its size, or refused', () => {
  const random = seeded(7);
  for (let round = 0; round < 400; round += 1) {
    const bytesMax = 64 + Math.floor(random() * 2_000);
    const text = dataText(randomObject(random, 0), redactor, bytesMax, undefined);
    if (text !== undefined) {
      assert.ok(Buffer.byteLength(text) <= bytesMax);
      assert.equal(typeof JSON.parse(text), 'object');
    }
  }
  assert.equal(dataText({ a: 1, b: 2, c: 3 }, redactor, 10, undefined), undefined);
});

test('of huge data only so much is looked at', () => {
  let reads = 0;
  const leaf = new Proxy(Array.from({ length: 100 }, () => 'x'), {
    get(list, key) {
      reads += 1;
      return list[key];
    },
  });
  let tree = leaf;
  for (let depth = 0; depth < 6; depth += 1) {
    tree = Array.from({ length: 100 }, () => tree);
  }
  assert.ok(written({ tree }));
  assert.ok(reads > 1_000 && reads < 2_000_000, `${reads} reads`);
});

function seeded(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function randomObject(random, depth) {
  const object = {};
  for (let count = Math.floor(random() * 8); count > 0; count -= 1) {
    object[`k${Math.floor(random() * 50)}`] = randomValue(random, depth);
  }
  return object;
}

function randomValue(random, depth) {
  const kinds = [
    () => random() * 1e6,
    () => 'é🎉"\\\n'.repeat(Math.floor(random() * 100)),
    () => null,
    () => (depth < 10 ? randomObject(random, depth + 1) : 1n),
    () => Array.from({ length: Math.floor(random() * 120) }, (_, index) => index),
  ];
  return kinds[Math.floor(random() * kinds.length)]();
}
