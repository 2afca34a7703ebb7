// What is live: an empty store that gets its first event, a tail through every restart, a network that goes and comes.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Bench, emit, emitMany, visit } from './support.mjs'

const bench = new Bench()
let browser
before(async () => { browser = await bench.browser() })
after(() => bench.end())

/** Redis, a collector and a server on a store that is still empty. */
async function living() {
  const redis = await bench.redis()
  const store = join(bench.folder(), 'store')
  const collector = await bench.collect(store, redis.url)
  const server = await bench.serve(store, { redis: redis.url })
  return { redis, store, collector, server }
}

const numbers = tab => tab.locator('.list .rows [role=row] .data').allTextContents().then(texts => texts.map(text => Number(text.match(/n=(\d+)/)?.[1])))
const beSeen = (tab, isSeen) => tab.evaluate(isHidden => {
  Object.defineProperty(document, 'hidden', { value: isHidden, configurable: true })
  document.dispatchEvent(new Event('visibilitychange'))
}, !isSeen)
const waitFor = (tab, n) => tab.waitForFunction(last => document.querySelector('.list .rows [role=row] .data')?.textContent?.includes(`n=${last}`), n)

test('an empty store says so, and goes on by itself when the first event comes', async () => {
  const { redis, server } = await living()
  const { tab, context } = await bench.tab(browser, server)
  await tab.getByRole('heading', { name: 'No events yet' }).waitFor()
  emit(redis, { eventType: 'job.created', jobId: 'job_first' })
  await tab.getByRole('heading', { name: 'Needs a look' }).waitFor()
  await context.close()
})

test('a tail shows each event once, through a pause and restarts of collector and server', async () => {
  const { redis, store, collector, server } = await living()
  emit(redis, { eventType: 'job.created', jobId: 'job_0', data: { n: 0 } })
  const { tab, context } = await bench.tab(browser, server)
  await visit(tab, `${server.origin}/tail?event-type=job.created`)
  await tab.getByRole('status').filter({ hasText: 'live' }).waitFor()
  let n = 0
  const more = () => emit(redis, { eventType: 'job.created', jobId: 'job_1', data: { n: ++n } })
  more()
  await waitFor(tab, n)
  await tab.keyboard.press(' ')
  await tab.getByRole('button', { name: 'Go on' }).waitFor()
  for (let times = 0; times < 5; times += 1) more()
  await tab.getByRole('button', { name: 'Go on: 5 new' }).waitFor()
  assert.ok(!(await numbers(tab)).includes(n), 'what came during the pause is not shown yet')
  await tab.keyboard.press(' ')
  await waitFor(tab, n)
  // A tab that nobody sees leaves its connection to others, and misses nothing.
  await beSeen(tab, false)
  for (let times = 0; times < 3; times += 1) more()
  await beSeen(tab, true)
  await waitFor(tab, n)
  await collector.end()
  for (let times = 0; times < 3; times += 1) more()
  await bench.collect(store, redis.url)
  await waitFor(tab, n)
  await server.end()
  await tab.getByRole('status').filter({ hasText: 'lost' }).waitFor()
  for (let times = 0; times < 3; times += 1) more()
  await bench.serve(store, { redis: redis.url, listen: new URL(server.origin).host })
  await waitFor(tab, n)
  const seen = (await numbers(tab)).filter(one => one > 0)
  assert.deepEqual(seen, Array.from({ length: n }, (_, at) => n - at))
  await context.close()
})

test('what was trimmed before it was read is drawn where it happened, and what comes too fast is counted', async () => {
  const { redis, server } = await living()
  emit(redis, { eventType: 'job.created', jobId: 'job_0', data: { n: 0 } })
  const { tab, context } = await bench.tab(browser, server)
  await visit(tab, `${server.origin}/tail`)
  await tab.getByRole('status').filter({ hasText: 'live' }).waitFor()
  emit(redis, { eventType: 'job.created', jobId: 'job_1', data: { n: 1 } })
  await waitFor(tab, 1)
  // In one script, so that nobody reads in between.
  emitMany(redis, 7, "redis.call('XTRIM', 'emp:events', 'MAXLEN', '0')")
  emit(redis, { eventType: 'job.created', jobId: 'job_2', data: { n: 2 } })
  await waitFor(tab, 2)
  await tab.getByText('7 entries were lost here').waitFor()
  assert.deepEqual((await tab.locator('.list .rows [role=row] .data').allTextContents()).slice(0, 3).map(text => text.slice(0, 8)), ['n=2', '7 entrie', 'n=1'])
  const so_far = async () => Number((await tab.locator('main header p').first().textContent()).match(/([\d,]+) events? so far/)[1].replaceAll(',', ''))
  const before = await so_far()
  emitMany(redis, 3000)
  emit(redis, { eventType: 'job.created', jobId: 'job_3', data: { n: 3 } })
  await tab.waitForFunction(sum => document.querySelector('main header p')?.textContent?.includes(`${sum.toLocaleString('en-US')} events so far`), before + 3001)
  await context.close()
})

test('a lost server is told, and what is on the screen stays; it goes on by itself', async () => {
  const { redis, store, server } = await living()
  emit(redis, { eventType: 'job.created', jobId: 'job_0' })
  const { tab, context } = await bench.tab(browser, server)
  await tab.getByRole('heading', { name: 'Needs a look' }).waitFor()
  await tab.waitForSelector('.figures')
  await server.end()
  await tab.keyboard.press('r')
  await tab.getByRole('alert').filter({ hasText: 'cannot be reached' }).waitFor()
  assert.ok(await tab.locator('.figures').isVisible())
  await bench.serve(store, { redis: redis.url, listen: new URL(server.origin).host })
  await tab.getByRole('alert').waitFor({ state: 'detached' })
  await context.close()
})

test('health shows the law as a sum, and how soon the first entry would be lost', async () => {
  const { redis, collector, server } = await living()
  for (let n = 0; n < 5; n += 1) emit(redis, { eventType: 'job.created', jobId: `job_${n}` })
  const { tab, problems, context } = await bench.tab(browser, server)
  await visit(tab, `${server.origin}/health`)
  const law = tab.getByRole('region', { name: 'The law' })
  const sum = () => law.locator('.law').innerText().then(text => text.replace(/\s+/g, ' '))
  await tab.waitForFunction(() => /5 added = 5 stored/.test(document.querySelector('.law')?.textContent?.replace(/(\d)(?=[a-z])/g, '$1 ').replace(/([a-z])(?=[=+])/g, '$1 ').replace(/([=+])(?=\d)/g, '$1 ') ?? ''))
  assert.match(await sum(), /5 added = 5 stored \+ 0 quarantined \+ 0 lost \+ 0 unread \+ 0 in flight .*it holds/)
  assert.match(await law.innerText(), /the first entry would be lost in/)
  await collector.end()
  // More than may wait, and some that nobody will ever read.
  emitMany(redis, 3000, "redis.call('XTRIM', 'emp:events', 'MAXLEN', '2500')")
  await law.getByText(/first loss in/).waitFor()
  assert.match(await sum(), /3,005 added = 5 stored \+ 0 quarantined \+ 0 lost \+ 2,500 unread \+ 0 in flight \+ 500 trimmed .*it holds/)
  assert.deepEqual(problems, [])
  await context.close()
})

test('a tail goes on where it was through a restart of Redis', async () => {
  const store = join(bench.folder(), 'store')
  const redis = await bench.lastingRedis()
  await bench.collect(store, redis.url)
  const server = await bench.serve(store, { redis: redis.url })
  emit(redis, { eventType: 'job.created', jobId: 'job_0', data: { n: 0 } })
  const { tab, context } = await bench.tab(browser, server)
  await visit(tab, `${server.origin}/tail`)
  await tab.getByRole('status').filter({ hasText: 'live' }).waitFor()
  let n = 0
  const more = () => emit(redis, { eventType: 'job.created', jobId: 'job_1', data: { n: ++n } })
  more()
  await waitFor(tab, n)
  await redis.startAgain()
  for (let times = 0; times < 4; times += 1) more()
  await waitFor(tab, n)
  const seen = (await numbers(tab)).filter(one => one > 0)
  assert.deepEqual(seen, Array.from({ length: n }, (_, at) => n - at))
  await context.close()
})

test('ten tabs that are all seen are all told of what comes', async () => {
  const { redis, server } = await living()
  emit(redis, { eventType: 'job.created', jobId: 'job_0', data: { n: 0 } })
  const tabs = []
  for (let count = 0; count < 10; count += 1) {
    // Each a browser of its own, as of another person.
    const { tab, context } = await bench.tab(browser, server)
    await visit(tab, `${server.origin}/${count % 2 ? 'tail' : ''}`)
    tabs.push({ tab, context, isTail: count % 2 === 1 })
  }
  for (const { tab, isTail } of tabs) if (isTail) await tab.getByRole('status').filter({ hasText: 'live' }).waitFor()
  emit(redis, { eventType: 'job.created', jobId: 'job_1', data: { n: 1 } })
  for (const { tab, isTail } of tabs) {
    if (isTail) await waitFor(tab, 1)
    else await tab.waitForFunction(() => /of 2 jobs/.test(document.querySelector('.figures')?.textContent ?? ''))
  }
  for (const { context } of tabs) await context.close()
})

test('ten tabs of one browser, which keeps six connections to a server, are all told of what comes', async () => {
  const { redis, server } = await living()
  emit(redis, { eventType: 'job.created', jobId: 'job_0' })
  const { tab, context, problems } = await bench.tab(browser, server)
  await visit(tab, `${server.origin}/`)
  const tabs = [tab]
  while (tabs.length < 10) {
    const other = await context.newPage()
    await visit(other, `${server.origin}/`)
    tabs.push(other)
  }
  // All of them look at one stream.
  const metrics = await (await context.request.get(`${server.origin}/metrics`)).text()
  assert.match(metrics, /^emp_events_serve_streams 1$/m)
  emit(redis, { eventType: 'job.created', jobId: 'job_1' })
  for (const one of tabs) await one.waitForFunction(() => /of 2 jobs/.test(document.querySelector('.figures')?.textContent ?? ''))
  await tab.close()
  assert.deepEqual(problems, [])
  await context.close()
})
