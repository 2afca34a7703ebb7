// What the tests of the page stand on: the program itself, its server, a Redis where one is needed, and a browser.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const program = process.env.EMP_EVENTS_BINARY
if (!program) throw new Error('EMP_EVENTS_BINARY is not set: name the program that is to be tested')
const page = fileURLToPath(new URL('../../crates/serve/page', import.meta.url))
const browsers = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Whatever a test starts ends with it. */
export class Bench {
  #ends = []

  /** Something to do at the end; the last first. */
  onEnd(act) {
    this.#ends.push(act)
  }

  async end() {
    for (const act of this.#ends.reverse()) await act()
  }

  folder() {
    const folder = mkdtempSync(join(tmpdir(), 'emp-events-page-'))
    this.onEnd(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  }

  /** A store with whole hours of a lifelike load. */
  store(...options) {
    const store = join(this.folder(), 'store')
    execFileSync(program, ['simulate', '--into', store, '--from', '2025-09-27T00:00:00Z', ...options], { stdio: 'ignore' })
    return store
  }

  /** A store with just these events. */
  storeOf(events) {
    const folder = this.folder()
    const file = join(folder, 'events.jsonl')
    writeFileSync(file, events.map(event => JSON.stringify(event)).join('\n') + '\n')
    execFileSync(program, ['--store', join(folder, 'store'), 'import', file], { stdio: 'ignore' })
    return join(folder, 'store')
  }

  /** Starts a program; `ready` is what it says when it can be used. */
  async start(file, options, ready, env = {}) {
    const child = spawn(file, options, { env: { ...process.env, NO_COLOR: '1', ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = new Promise(resolve => child.once('exit', resolve))
    const end = async (signal = 'SIGTERM') => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      await ended
    }
    this.onEnd(() => end('SIGKILL'))
    let said = ''
    const found = await new Promise((resolve, reject) => {
      const take = text => {
        said += text
        const match = said.match(ready)
        if (match) resolve(match)
      }
      child.stdout.setEncoding('utf8').on('data', take)
      child.stderr.setEncoding('utf8').on('data', take)
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`${file} ${options.join(' ')} ended with ${code}: ${said}`)))
    })
    return { end, found, pid: child.pid }
  }

  /** A server of that store. Its token is kept beside it, so that one that starts again knows who is signed in. */
  async serve(store, { redis = 'redis://127.0.0.1:1', listen = '127.0.0.1:0', basePath = '' } = {}) {
    const file = `${store}.token`
    writeFileSync(file, TOKEN, { mode: 0o600 })
    // The server's own time limit is for people who wait; a busy machine exceeds it, and the page then says so for ever.
    const options = ['--store', store, '--redis', redis, 'serve', '--listen', listen, '--token-file', file, '--assets', page, '--base-path', basePath, '--time-limit', '1h']
    const server = await this.start(program, options, /http:\/\/[^\s#]+/)
    const { origin } = new URL(server.found[0])
    return { ...server, origin, link: `${origin}${basePath}/#token=${TOKEN}`, token: TOKEN }
  }

  async redis() {
    const port = await freePort()
    const folder = this.folder()
    await this.start('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder], /Ready to accept connections/)
    return { url: `redis://127.0.0.1:${port}`, port }
  }

  /** One that keeps what it was given, and can be started again at the same place. */
  async lastingRedis() {
    const port = await freePort()
    const folder = this.folder()
    const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'yes', '--appendfsync', 'always', '--dir', folder]
    const start = () => this.start('redis-server', options, /Ready to accept connections/)
    let server = await start()
    const startAgain = async () => {
      await server.end()
      server = await start()
    }
    return { url: `redis://127.0.0.1:${port}`, port, startAgain }
  }

  collect(store, redis) {
    return this.start(program, ['--store', store, '--redis', redis, 'collect'], /reading emp:events/)
  }

  async browser() {
    const executablePath = browsers.find(path => { try { execFileSync('test', ['-x', path]); return true } catch { return false } })
    if (!executablePath) throw new Error(`no browser: none of ${browsers.join(', ')}`)
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
    this.onEnd(() => browser.close())
    return browser
  }

  /** A browser's user, who is as patient in every tab. */
  async context(browser, options = {}) {
    const context = await browser.newContext(options)
    // Long, so that no busy machine decides: what never comes fails all the same.
    context.setDefaultTimeout(240_000)
    return context
  }

  /** A tab that is signed in, and keeps what goes wrong in it. */
  async tab(browser, server, options = {}) {
    const context = await this.context(browser, { viewport: { width: 1280, height: 800 }, ...options })
    const tab = await context.newPage()
    const problems = []
    tab.on('pageerror', error => problems.push(`error: ${error.stack}`))
    tab.on('console', message => { if (message.type() === 'error') problems.push(`console: ${message.text()}`) })
    await tab.goto(server.link)
    await tab.waitForSelector('nav')
    return { tab, problems, context, visit: path => visit(tab, server.origin + path) }
  }
}

const TOKEN = 'a-token-of-the-tests-0123456789'

/** Goes there, and waits until nothing is asked for any more. */
export async function visit(tab, url) {
  await tab.goto(url)
  await settled(tab)
}

export async function settled(tab) {
  await tab.waitForFunction(() => document.querySelector('main h1') && !document.querySelector('main .waiting, main [aria-busy=true]'))
}

/** What redis-cli answers. */
const redisSays = (redis, ...command) => execFileSync('redis-cli', ['-p', String(redis.port), ...command], { encoding: 'utf8' })

/** So many events at once, and what is done with the stream in the same moment. */
export function emitMany(redis, count, then = '') {
  const script = `for n = 1, ${count} do redis.call('XADD', 'emp:events', '*', 'timestamp', ARGV[1], 'service', 'tester', 'level', 'info', 'eventType', 'step.noted', 'data', '{}') end ${then}`
  redisSays(redis, 'EVAL', script, '0', String(Date.now()))
}

export function emit(redis, event) {
  const fields = Object.entries({ timestamp: Date.now(), service: 'tester', level: 'info', ...event }).flatMap(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)])
  redisSays(redis, 'XADD', 'emp:events', '*', ...fields)
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** Every view, as a person would first see it. */
export const VIEWS = ['/', '/search', '/tail', '/sql', '/perf', '/gaps', '/handoffs', '/changes', '/anomalies', '/workers', '/health']
