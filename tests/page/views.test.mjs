// Each view: drawn without an error of the browser, at every width, light and dark, and readable by everybody.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Bench, VIEWS, settled, visit } from './support.mjs'

const axe = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const bench = new Bench()
let browser, server, store, job
before(async () => {
  store = bench.store('--hours', '8', '--incident', 'silent-worker', '--incident', 'new-error')
  server = await bench.serve(store)
  browser = await bench.browser()
  const { tab, context } = await bench.tab(browser, server)
  await visit(tab, `${server.origin}/`)
  job = await tab.locator('main .card li a.id').first().textContent()
  await context.close()
})
after(() => bench.end())

for (const view of [...VIEWS, '/job/', '/nowhere/at/all']) {
  test(`${view} is drawn, fits, and axe finds nothing serious`, async () => {
    const path = view === '/job/' ? `/job/${job}` : view
    const { tab, problems, context } = await bench.tab(browser, server)
    for (const colorScheme of ['light', 'dark']) {
      await tab.emulateMedia({ colorScheme })
      await visit(tab, server.origin + path)
      assert.deepEqual(await findings(tab), [], `axe on ${path}, ${colorScheme}`)
    }
    for (const width of [320, 768, 1280, 2560]) {
      await tab.setViewportSize({ width, height: 900 })
      await tab.waitForFunction(() => document.documentElement.scrollWidth <= innerWidth)
        .catch(() => assert.fail(`${path} is wider than a screen of ${width}`))
    }
    assert.deepEqual(problems, [])
    await context.close()
  })
}

// By the debugger, since the page's own rules allow no script from elsewhere.
async function findings(tab) {
  const session = await tab.context().newCDPSession(tab)
  await session.send('Runtime.evaluate', { expression: axe })
  const { result } = await session.send('Runtime.evaluate', {
    expression: `axe.run(document, { resultTypes: ['violations'] }).then(found => JSON.stringify(found.violations.filter(one => ['serious', 'critical'].includes(one.impact)).map(one => one.id + ': ' + one.nodes.map(node => node.html.slice(0, 160) + ' ' + (node.any[0]?.message ?? '')).slice(0, 3).join(' | '))))`,
    awaitPromise: true,
  })
  await session.detach()
  return JSON.parse(result.value)
}

test('an address holds all of a view: a link shows another person the same', async () => {
  const { tab, context } = await bench.tab(browser, server)
  await visit(tab, `${server.origin}/search?level=error`)
  await tab.waitForURL(/since=.*until=/)
  await tab.locator('.facet button', { hasText: 'worker' }).first().click()
  await tab.waitForURL(/service=worker/)
  await settled(tab)
  const [address, told] = [tab.url(), await tab.locator('main header p').first().textContent()]
  const other = await bench.tab(browser, server)
  await visit(other.tab, address)
  assert.equal(await other.tab.locator('main header p').first().textContent(), told)
  assert.equal(other.tab.url(), address)
  await Promise.all([context.close(), other.context.close()])
})

test('an address of a view without being signed in leads there after it', async () => {
  const context = await bench.context(browser)
  const tab = await context.newPage()
  await tab.goto(`${server.origin}/workers`)
  await tab.getByLabel('Token').fill('not the token of this server')
  await tab.getByRole('button', { name: 'Sign in' }).click()
  await tab.getByRole('alert').waitFor()
  await tab.getByLabel('Token').fill(server.token)
  await tab.getByRole('button', { name: 'Sign in' }).click()
  await tab.getByRole('heading', { name: 'Workers', level: 1 }).waitFor()
  await context.close()
})

test('the link with the token leaves no token in the address', async () => {
  const { tab, context } = await bench.tab(browser, server)
  await settled(tab)
  assert.equal(new URL(tab.url()).hash, '')
  assert.equal(await tab.evaluate(() => document.cookie), '')
  await context.close()
})

test('all can be done by keys', async () => {
  const { tab, problems, context } = await bench.tab(browser, server)
  await settled(tab)
  const press = key => tab.keyboard.press(key)
  // From the list of what needs a look into the first job.
  await tab.waitForSelector('main [data-row]')
  await press('j')
  await press('Enter')
  await tab.waitForURL(/\/job\//)
  await tab.waitForSelector('.bars')
  // Through its waterfall to raw events, and on to the list of all.
  await press('t')
  await press('j')
  await press('j')
  await tab.waitForSelector('.raw .detail')
  await press('e')
  await press('End')
  await tab.waitForSelector('.list [aria-selected=true]')
  await press('Escape')
  // Another job by the beginning of its id.
  await press('/')
  await tab.keyboard.type(job.slice(0, 7))
  await tab.waitForSelector('#found [role=option] .id')
  await press('Enter')
  await tab.waitForURL(new RegExp(`/job/${job.slice(0, 7)}`))
  await press('?')
  await tab.waitForSelector('dialog[open]')
  await press('Escape')
  await tab.waitForSelector('dialog', { state: 'detached' })
  await press('c')
  await tab.waitForURL(/\/changes/)
  assert.deepEqual(problems, [])
  await context.close()
})

/** The field for SQL, in which a name is begun and its ends are offered. */
async function offersCompletions(tab) {
  await visit(tab, `${server.origin}/sql`)
  const field = tab.getByLabel('SQL', { exact: true })
  await field.fill('')
  await field.pressSequentially('select servi')
  await tab.waitForSelector('.complete [role=option]')
  return field
}

test('SQL runs, completes, says what is wrong, and gives a file', async () => {
  const { tab, context } = await bench.tab(browser, server)
  const field = await offersCompletions(tab)
  await tab.keyboard.press('Tab')
  await field.pressSequentially(', count(*) as n from events group by 1 order by 1')
  await tab.keyboard.press('Control+Enter')
  await tab.waitForURL(/q=select/)
  await tab.getByRole('cell', { name: 'worker', exact: true }).waitFor()
  const download = tab.waitForEvent('download')
  await tab.getByRole('button', { name: 'Parquet' }).click()
  assert.match((await download).suggestedFilename(), /\.parquet$/)
  await tab.getByRole('button', { name: 'gap-classes' }).click()
  await tab.locator('.canned input[name=min_gap]').fill('1s')
  await tab.locator('.canned').getByRole('button', { name: 'Run' }).click()
  await tab.waitForURL(/query=gap-classes&param=min_gap/)
  await tab.getByRole('columnheader', { name: 'worst_job' }).waitFor()
  await field.fill('select nothing from nowhere')
  await tab.keyboard.press('Control+Enter')
  await tab.getByRole('alert').waitFor()
  await context.close()
})

test('what is typed right after a completion stands behind it', async () => {
  const { tab, context } = await bench.tab(browser, server)
  const field = await offersCompletions(tab)
  const text = await field.evaluate(async field => {
    field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Tab', bubbles: true, cancelable: true }))
    // The completion is drawn by then, and nothing has been painted.
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
    document.execCommand('insertText', false, ',')
    await new Promise(painted => requestAnimationFrame(() => setTimeout(painted, 200)))
    document.execCommand('insertText', false, ' now()')
    return field.value
  })
  assert.equal(text, 'select service, now()')
  await context.close()
})

test('a job can be laid beside what is typical, and a waterfall looked at closely', async () => {
  const { tab, problems, context } = await bench.tab(browser, server)
  await visit(tab, `${server.origin}/job/${job}`)
  await tab.getByRole('button', { name: 'with typical' }).click()
  await tab.waitForURL(/compare=typical/)
  await tab.getByRole('region', { name: 'Step by step' }).waitFor()
  await tab.locator('.bars').focus()
  await tab.keyboard.press('+')
  await tab.waitForSelector('.legend button[title="0"]:not([disabled])')
  await tab.keyboard.press('0')
  await tab.waitForSelector('.legend button[title="0"][disabled]')
  assert.deepEqual(problems, [])
  await context.close()
})

test('a view is kept as one file that opens without a network, and shows the same', async () => {
  const { tab, problems, context } = await bench.tab(browser, server)
  for (const view of ['/', '/perf', `/job/${job}`]) {
    await visit(tab, server.origin + view)
    if (view === '/perf') await tab.waitForSelector('.chart canvas')
    const download = tab.waitForEvent('download')
    await tab.locator('.askline').getByText('keep', { exact: true }).click()
    const file = join(bench.folder(), (await download).suggestedFilename())
    assert.match(file, /\.html$/)
    await (await download).saveAs(file)
    const alone = await bench.context(browser, { offline: true })
    const kept = await alone.newPage()
    const wrong = []
    kept.on('request', request => /^(file|data|blob):/.test(request.url()) || wrong.push(request.url()))
    kept.on('console', message => message.type() === 'error' && wrong.push(message.text()))
    await kept.goto(`file://${file}`)
    const told = await kept.locator('body').innerText()
    const wanted = view.startsWith('/job/') ? [job, 'Where its time went', 'job.created'] : [await tab.locator('main h1').innerText(), await tab.locator('main td, main .card').first().innerText()]
    for (const words of wanted) assert.ok(told.replace(/\s+/g, ' ').includes(words.replace(/\s+/g, ' ')), `${view}: ${words} in ${told.slice(0, 2000)}`)
    assert.equal(await kept.locator('script, link[rel=stylesheet], button').count(), 0)
    if (view === '/perf') assert.ok(await kept.locator('img[src^="data:image/png"]').count() > 0)
    assert.deepEqual(wrong, [], view)
    await alone.close()
  }
  assert.deepEqual(problems, [])
  await context.close()
})

test('behind a proxy, below a path of its own, every address has that path', async () => {
  const below = await bench.serve(store, { basePath: '/tools/events' })
  const { tab, problems, context } = await bench.tab(browser, below)
  await settled(tab)
  await tab.locator('main .card li a.id').first().click()
  await tab.waitForURL(/\/tools\/events\/job\//)
  await tab.reload()
  await settled(tab)
  await tab.waitForSelector('.bars')
  for (const view of VIEWS.slice(1)) {
    await tab.locator(`nav a[href="/tools/events${view}"]`).click()
    await tab.waitForURL(new RegExp(`/tools/events${view}`))
    await settled(tab)
  }
  assert.deepEqual(problems, [])
  await context.close()
})
