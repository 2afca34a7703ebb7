// Many rows: only those on the screen are in the document, and all of them can be reached.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bench, visit } from './support.mjs'

const EVENTS = 100_000
const bench = new Bench()
let server, browser
before(async () => {
  const begin = Date.parse('2025-09-27T12:00:00Z')
  const types = ['job.created', 'job.claimed', 'connector.processing_started']
  const events = Array.from({ length: EVENTS }, (_, at) => ({
    timestamp: begin + at * 10, service: at ? 'worker' : 'api-server', eventType: types[at] ?? (at % 7 ? 'job.progress_updated' : 'step.noted'), level: at % 5000 === 4999 ? 'error' : 'info',
    jobId: at < 10_000 ? 'job_of_ten_thousand' : 'job_of_ninety_thousand', workerId: 'w1', data: { progress: at },
  }))
  server = await bench.serve(bench.storeOf(events))
  browser = await bench.browser()
})
after(() => bench.end())

test('a search of 100,000 rows keeps few of them in the document, and page after page comes', async () => {
  const { tab, problems, context } = await bench.tab(browser, server)
  await visit(tab, `${server.origin}/search?since=2025-09-27T12:00:00Z&until=2025-09-27T13:00:00Z`)
  const list = tab.locator('.list')
  assert.equal(await list.getAttribute('aria-rowcount'), String(EVENTS + 1))
  let highest = 0
  // Four pages further by the End key, each only once the one before is there.
  for (const page of [1000, 2000, 3000, 4000]) {
    await tab.waitForFunction(rows => document.querySelector('.list .rows')?.clientHeight >= rows * 22, page)
    await list.focus()
    await tab.keyboard.press('End')
    highest = Math.max(highest, await tab.locator('.list [role=row]').count())
  }
  assert.ok(highest <= 101, `${highest} rows were in the document`)
  await tab.waitForFunction(() => Number(document.querySelector('.list [aria-selected=true]')?.getAttribute('aria-rowindex')) > 3000)
  assert.deepEqual(problems, [])
  await context.close()
})

for (const [job, events] of [['job_of_ten_thousand', '10,000'], ['job_of_ninety_thousand', '90,000']]) {
  test(`${job} is drawn`, async () => {
    const { tab, problems, context } = await bench.tab(browser, server)
    await visit(tab, `${server.origin}/job/${job}`)
    await tab.waitForSelector('.bars')
    assert.match(await tab.locator('.above-list').textContent(), new RegExp(events))
    assert.ok((await tab.locator('.bar').count()) <= 100)
    assert.match(await tab.locator('.bars').textContent(), /job\.progress_updated ×/)
    const inked = await tab.locator('.paper canvas').evaluate(canvas => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
      return data.some(value => value !== 0)
    })
    assert.ok(inked, 'nothing was drawn')
    assert.deepEqual(problems, [])
    await context.close()
  })
}
