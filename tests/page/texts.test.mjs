// Whatever an event says in any of its fields is shown as text: nothing of it becomes part of the page.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bench, VIEWS, visit } from './support.mjs'

const EVIL = [`<img src=x onerror="window.caught=1">`, `"><script>window.caught=2</script>`, `' onmouseover='window.caught=3`, `javascript:window.caught=4`, '<svg/onload=window.caught=5>', '{{constructor.constructor("window.caught=6")()}}']
const bench = new Bench()
let server, browser
before(async () => {
  const begin = Date.parse('2025-09-27T12:00:00Z')
  const events = EVIL.flatMap((evil, at) => ['job.created', 'job.claimed', 'connector.processing_started', 'job.failed', evil].map((eventType, step) => ({
    timestamp: begin + at * 60_000 + step * 1000, service: step % 2 ? 'worker' : evil, eventType, level: eventType === 'job.failed' ? 'error' : 'info', jobId: `job_${evil}`, traceId: evil, workerId: `worker ${evil}`,
    machineId: evil, userId: evil, data: { error: evil, [evil]: evil, jobType: evil, connectorType: evil },
  })))
  server = await bench.serve(bench.storeOf(events))
  browser = await bench.browser()
})
after(() => bench.end())

for (const path of [...VIEWS, `/job/${encodeURIComponent(`job_${EVIL[0]}`)}`, `/job/${encodeURIComponent(`job_${EVIL[1]}`)}`, `/trace/${encodeURIComponent(EVIL[0])}`, `/sql?q=${encodeURIComponent('select * from events')}`,
  `/search?since=2025-09-27T11:00:00Z&until=2025-09-27T13:00:00Z&text=${encodeURIComponent(EVIL[0])}&service=${encodeURIComponent(EVIL[1])}`, '/search?since=2025-09-27T11:00:00Z&until=2025-09-27T13:00:00Z']) {
  test(`${path.slice(0, 60)} runs nothing that an event says`, async () => {
    const { tab, problems, context } = await bench.tab(browser, server)
    await visit(tab, server.origin + path)
    for (const row of await tab.locator('main [role=row]:not(.titles), main [role=option]').all().then(rows => rows.slice(0, 6))) await row.click({ position: { x: 20, y: 8 } })
    for (const chart of await tab.locator('.u-over').all()) await chart.hover().catch(() => {})
    const found = await tab.evaluate(() => ({
      caught: /** @type {any} */ (window).caught, scripts: document.querySelectorAll('script').length, images: [...document.images].filter(image => !image.src.endsWith('icon.svg')).length,
      handlers: [...document.querySelectorAll('*')].filter(one => [...one.attributes].some(attribute => attribute.name.startsWith('on'))).length,
      links: [...document.querySelectorAll('a')].filter(one => !one.href.startsWith(location.origin) && !one.href.startsWith('blob:')).length, svg: document.querySelectorAll('svg').length,
    }))
    assert.deepEqual(found, { caught: undefined, scripts: 1, images: 0, handlers: 0, links: 0, svg: 0 })
    assert.deepEqual(problems.filter(problem => /Content Security|error:/.test(problem)), [])
    await context.close()
  })
}
