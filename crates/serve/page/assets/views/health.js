// Health: whether events get through, the law as a sum, and the plan's two dashboards, each of their items.
import { html, useEffect, useState } from '../html.js'
import { request, useAnswer, useSql } from '../ask.js'
import { base, link } from '../route.js'
import { useStore } from '../store.js'
import { newest, useLive } from '../live.js'
import { Answered, Copy, Head, Nothing, Status, Table, Time, Waiting, meta, useRange } from '../parts.js'
import { bytes, count, duration, figure, percent, some } from '../units.js'
import { Latency, Rate, bucketOf } from './perf.js'

/** @typedef {import('../parts.js').Range} Range */

export function View() {
  const told = useStore(meta)
  const range = useRange(10_800_000, told.live)
  const every = told.live ? 5000 : undefined
  const pushed = useLive('health', told.live)
  const health = newest(useAnswer('health', {}, { main: true, every }), pushed)
  const checks = /** @type {any[]} */ (health.answer?.data ?? [])
  // Without Redis there is nobody to ask how much it was ever given.
  const hasRedis = checks.some(check => check.check === 'redis' && check.status !== 'bad')
  const law = newest(useAnswer(hasRedis ? 'law' : null, {}, { every }), useLive('law', told.live && hasRedis))
  return html`<${Head} title="Health" answers="Whether events get from the services into the store" range=${range} />
    <${Answered} of=${health} what="whether events get through" children=${() => html`<${Checks} checks=${checks} />`} />
    <${Law} of=${law} hasRedis=${hasRedis} />
    <section class="board"><h2>While developing</h2><div class="tiles">
      <${Events} range=${range} /><${Redis} checks=${checks} stream=${law.answer?.data.stream} /><${Lag} checks=${checks} /><${Usage} /><${Api} range=${range} /><${Emission} range=${range} /><${Memory} range=${range} />
    </div></section>
    <section class="board"><h2>In production</h2><div class="tiles">
      <${PerSecond} range=${range} /><${Delivery} range=${range} law=${law.answer?.data} /><${Forwarding} checks=${checks} /><${Pace} stream=${law.answer?.data.stream} /><${Overhead} range=${range} /><${Collector} checks=${checks} />
      <${Patterns} range=${range} /><${Errors} range=${range} /><${Alerts} live=${told.live} />
    </div></section>`
}

/** @param {{checks: any[]}} props */
function Checks({ checks }) {
  const worst = ['bad', 'degraded', 'good'].find(status => checks.some(check => check.status === status)) ?? 'good'
  const words = { bad: 'Events do not get through as they should', degraded: 'It works, and something is to be mended', good: 'All is well' }[worst]
  return html`<section aria-label="Checks"><p><${Status} of=${worst} words=${words} big /></p>
    <ul class="checks">${checks.map(check => html`<li data-row tabindex="-1"><${Status} of=${check.status} words=${check.check} />
      <span>${check.detail}${check.remedy && html`<br /><span class="soft">${check.remedy}</span> ${/^(start )?`?emp-events/.test(check.remedy) && html`<${Copy} text=${check.remedy.replace(/^start `|`$/g, '')} label="Copy the command line" />`}`}</span></li>`)}</ul></section>`
}

const PLACES = /** @type {[string, string, string][]} */ ([
  ['stored', 'stored', 'in the store, each once'], ['quarantined', 'quarantined', 'were no events; kept as they came'], ['lost', 'lost', 'trimmed before they were read, and counted'],
  ['unread', 'unread', 'still in the stream'], ['in_flight', 'in flight', 'read, and not yet durable'],
  ['trimmed', 'trimmed', 'not yet recorded as lost'], ['elsewhere', 'elsewhere', 'read by other stores of the group'],
])
/** Places that are shown though nothing is there. */
const ALWAYS = 5

/** @param {{of: import('../ask.js').Asked, hasRedis: boolean}} props */
function Law({ of, hasRedis }) {
  const law = of.answer?.data
  if (!law) return html`<section class="law-box"><h2>The law: every entry ever added is somewhere</h2><p class="soft">${!hasRedis ? 'Redis is not reached, which alone knows how many there were.' : of.error ? `It cannot be checked now: ${of.error.message}` : 'Asking …'} <code>emp-events verify --law</code> <${Copy} text="emp-events verify --law" label="Copy the command line" /></p></section>`
  return html`<section class="law-box" aria-label="The law"><h2>The law: every entry ever added is somewhere</h2>
    <div class="law"><div><strong>${count(law.added)}</strong><span>added</span></div><span class="op">${law.holds ? '=' : '≠'}</span>
      ${PLACES.filter(([key], at) => at < ALWAYS || law[key]).map(([key, name, hint], at) => html`${at > 0 && html`<span class="op">+</span>`}<div title=${hint}><strong class=${key === 'lost' && law[key] ? 'bad' : ''}>${count(law[key])}</strong><span>${name}</span></div>`)}
      <span class="grow"></span><${Status} of=${law.holds ? 'good' : 'bad'} words=${law.holds ? 'it holds' : wrong(law.unaccounted)} /></div>
    ${law.unaccounted !== 0 && law.holds && html`<p class="soft">${some(Math.abs(law.unaccounted), 'entry', 'entries')} on the way, of ${count(law.moved)} that moved while they were counted.</p>`}
    <${FirstLoss} stream=${law.stream} /></section>`
}

/** @param {number} unaccounted */
const wrong = unaccounted => (unaccounted > 0 ? `${some(unaccounted, 'entry is', 'entries are')} missing` : `${some(-unaccounted, 'entry is', 'entries are')} there twice`)

/** As many may be unread while all is well; as `emp-events health` has it. */
const UNREAD_MAX = 2000
/** So soon somebody has to do something at once. */
const SOON_MS = 600_000

/** How soon the first entry would be trimmed before anybody has read it. @param {{stream: any}} props */
function FirstLoss({ stream }) {
  const { first_loss_ms: ms, unread } = stream
  if (ms == null) return html`<p class="soft">Nothing comes, so nothing will be lost.</p>`
  const words = html`${ms === 0 ? 'the next entries push unread ones out' : `first loss in ${duration(ms)}`}`
  if (unread <= UNREAD_MAX) return html`<p><${Status} of="good" words="It is read as it comes" /> <span class="soft">Were nothing read from now on, the first entry would be lost in ${duration(ms)}, at the present pace.</span></p>`
  return html`<p><${Status} of=${ms < SOON_MS ? 'bad' : 'degraded'} words=${words} /> <span class="soft">at the present pace, were nothing read from now on: ${some(unread, 'entry', 'entries')} wait.</span></p>`
}

/** @param {{title: string, children: any, wide?: boolean}} props */
const Tile = ({ title, children, wide }) => html`<article class=${`tile ${wide ? 'wide' : ''}`}><h3>${title}</h3>${children}</article>`

/** @param {{children: any}} props */
const NoData = ({ children }) => html`<p class="no-data"><span class="soft">No data.</span> ${children}</p>`

/** @param {{checks: any[], of: string[], otherwise: any}} props */
function Found({ checks, of, otherwise }) {
  const found = checks.filter(check => of.includes(check.check))
  return found.length ? found.map(check => html`<p><${Status} of=${check.status} words=${check.check} /> ${check.detail}</p>`) : otherwise
}

/** @param {{range: Range}} props */
function Events({ range }) {
  const found = useAnswer('histogram', { since: range.since, until: range.until, buckets: 90, by: 'service' })
  return html`<${Tile} title="Events a minute by service" wide><${Answered} of=${found} quiet what="events" children=${(/** @type {any[]} */ bars) => html`<${Rate} bars=${bars} range=${range} />`} /><//>`
}

/** @param {{checks: any[], stream: any}} props */
function Redis({ checks, stream }) {
  return html`<${Tile} title="Redis stream: memory and length">${stream && html`<p class="big-figure">${bytes(stream.bytes)} <small>${some(stream.entries, 'entry', 'entries')} of ${count(stream.entries_max)}</small></p>`}
    <${Found} checks=${checks} of=${['redis', 'ids', 'memory']} otherwise=${html`<${NoData}>Give <code>serve</code> the address of Redis: <code>--redis</code>.<//>`} /><//>`
}

/** @param {{stream: any}} props */
function Pace({ stream }) {
  return html`<${Tile} title="Redis stream: pace">${stream ? html`<dl class="facts">
      <div><dt>added a second, lately</dt><dd>${figure(stream.added_per_second)}</dd></div><div><dt>unread</dt><dd>${count(stream.unread)}</dd></div>
      <div><dt>Redis answers in</dt><dd>${duration(stream.answered_ms)}</dd></div><div><dt>until the first loss, were nothing read</dt><dd>${stream.first_loss_ms == null ? 'none in sight' : duration(stream.first_loss_ms)}</dd></div></dl>`
    : html`<${NoData}>The stream tells it once <code>emp-events collect</code> has read from it, and <code>serve</code> has the address of Redis: <code>--redis</code>.<//>`}<//>`
}

/** How long an event takes from its service into Redis, in ms. */
const DELAY = 'cast(ingested_at as bigint) - cast(timestamp as bigint)'

/** @param {Range} range */
const within = range => `timestamp >= '${range.since}' and timestamp < '${range.until}'`

/** @param {{checks: any[]}} props */
function Lag({ checks }) {
  return html`<${Tile} title="Collector: how far behind"><${Found} checks=${checks} of=${['collector', 'behind', 'losses']} otherwise=${html`<${NoData}>Start <code>emp-events collect</code>.<//>`} /><//>`
}

/** What this server was asked since it began, as its own metrics count it. */
function Usage() {
  const [rows, setRows] = useState(/** @type {{kind: string, count: number, seconds: number}[] | null} */ (null))
  const [failure, setFailure] = useState('')
  useEffect(() => {
    request(`${base}metrics`).then(response => response.text()).then(text => setRows(questionsOf(text)), error => setFailure(error.message))
  }, [])
  return html`<${Tile} title="Use of the debugging tools, since this server began">${failure ? html`<p class="bad">✖ ${failure}</p>` : !rows ? html`<${Waiting} what="what was asked" />` : !rows.length ? html`<${Nothing}>Nobody has asked anything yet.<//>`
    : html`<${Table} label="Questions" most=${8} rows=${rows} columns=${[{ title: 'question', by: (/** @type {any} */ row) => row.kind, show: (/** @type {any} */ row) => row.kind }, { title: 'times', number: true, by: (/** @type {any} */ row) => row.count, show: (/** @type {any} */ row) => count(row.count) },
      { title: 'took', number: true, hint: 'on average, until the answer began', by: (/** @type {any} */ row) => row.seconds / row.count, show: (/** @type {any} */ row) => duration(Math.round((row.seconds / row.count) * 1000)) }]} />`}
    <p class="soft">At a command line nobody counts. <code>/metrics</code> has these counts over time.</p><//>`
}

/** @param {string} text */
function questionsOf(text) {
  /** @type {Map<string, {kind: string, count: number, seconds: number}>} */
  const kinds = new Map()
  for (const [, what, kind, value] of text.matchAll(/^emp_events_question(s|_seconds)_total\{kind="([^"]+)"[^}]*\} (\S+)$/gm)) {
    const one = kinds.get(kind) ?? { kind, count: 0, seconds: 0 }
    if (what === 's') one.count += Number(value)
    else one.seconds += Number(value)
    kinds.set(kind, one)
  }
  return [...kinds.values()].filter(one => one.count && one.kind !== 'meta').sort((a, b) => b.count - a.count)
}

/** @param {Range} range @param {string} value @param {string} where */
const overTime = (range, value, where) => `select date_bin(interval '${bucketOf(range)} seconds', timestamp) as at, approx_percentile_cont(0.5) within group (order by ${value}) as p50, approx_percentile_cont(0.95) within group (order by ${value}) as p95
from events
where ${within(range)} and ${where}
group by 1 order by 1`

/** @param {{title: string, statement: string, range: Range, otherwise: any}} props */
function Trend({ title, statement, range, otherwise }) {
  const found = useSql(statement)
  return html`<${Tile} title=${title}><${Answered} of=${found} quiet what=${title.toLowerCase()} children=${(/** @type {any[]} */ rows) => (rows.length ? html`<${Latency} rows=${rows} range=${range} /><p class="soft"><a href=${link('sql', { q: statement })}>as SQL</a></p>` : otherwise)} /><//>`
}

/** @param {{range: Range}} props */
const Api = ({ range }) => html`<${Trend} title="Response time of the API" range=${range} statement=${overTime(range, 'duration_ms', "service like '%api%' and duration_ms is not null")}
  otherwise=${html`<${NoData}>Emit <code>api.request_completed</code> with <code>durationMs</code> from a service whose name has <code>api</code> in it.<//>`} />`

/** @param {{range: Range}} props */
const Emission = ({ range }) => html`<${Trend} title="From a service into Redis" range=${range} statement=${overTime(range, DELAY, 'ingested_at >= timestamp')} otherwise=${html`<${NoData}>There are no events in this time.<//>`} />`

/** @param {{range: Range}} props */
function Memory({ range }) {
  const statement = `select service, approx_percentile_cont(0.5) within group (order by coalesce(cast(data->>'rss' as double), cast(data->>'rssBytes' as double), cast(data->>'heapUsed' as double))) as bytes, count(*) as times
from events
where ${within(range)} and (data->>'rss' is not null or data->>'rssBytes' is not null or data->>'heapUsed' is not null)
group by 1 order by 2 desc`
  const found = useSql(statement)
  return html`<${Tile} title="Memory of services"><${Answered} of=${found} quiet what="memory" children=${(/** @type {any[]} */ rows) => rows.length
    ? html`<${Table} label="Memory of services" rows=${rows} columns=${[{ title: 'service', show: (/** @type {any} */ row) => row.service }, { title: 'half the time below', number: true, show: (/** @type {any} */ row) => bytes(row.bytes) }, { title: 'measured', number: true, show: (/** @type {any} */ row) => count(row.times) }]} />`
    : html`<${NoData}>Emit <code>service.resources_measured</code> with <code>rss</code> in bytes once a minute.<//>`} /><//>`
}

/** @param {{range: Range}} props */
function PerSecond({ range }) {
  const found = useAnswer('histogram', { since: range.since, until: range.until, buckets: 1, by: 'service' })
  return html`<${Tile} title="Events a second by service"><${Answered} of=${found} quiet what="events" children=${(/** @type {any[]} */ bars) => {
    const sums = new Map()
    for (const bar of bars) sums.set(bar.key, (sums.get(bar.key) ?? 0) + bar.count)
    const rows = [...sums].map(([service, n]) => ({ service, n, rate: (n / (range.untilMs - range.sinceMs)) * 1000 })).sort((a, b) => b.n - a.n)
    return rows.length ? html`<${Table} label="Events a second" rows=${rows} columns=${[{ title: 'service', show: (/** @type {any} */ row) => html`<a href=${link('search', { service: row.service, since: range.since, until: range.until })}>${row.service}</a>` }, { title: 'a second', number: true, by: (/** @type {any} */ row) => row.rate, show: (/** @type {any} */ row) => figure(row.rate) }, { title: 'events', number: true, by: (/** @type {any} */ row) => row.n, show: (/** @type {any} */ row) => count(row.n) }]} />` : html`<${Nothing}>None in this time.<//>`
  }} /><//>`
}

/** @param {{range: Range, law: any}} props */
function Delivery({ range, law }) {
  const dropped = useSql(`select service, sum(cast(data->>'dropped' as bigint)) as dropped, count(*) as times from events where ${within(range)} and event_type = 'telemetry.dropped' group by 1 order by 2 desc`)
  const share = law?.added ? (law.added - law.lost) / law.added : null
  return html`<${Tile} title="Delivery">${share != null && html`<p class="big-figure">${share === 1 ? '100 %' : percent(share)} <small>of what Redis was given was not lost</small></p>`}
    <${Answered} of=${dropped} quiet what="what services dropped" children=${(/** @type {any[]} */ rows) => rows.length
      ? html`<p class="warn">▲ ${some(rows.reduce((sum, row) => sum + row.dropped, 0), 'event was', 'events were')} dropped by services before Redis: ${rows.map(row => `${row.service} ${count(row.dropped)}`).join(', ')}</p>`
      : html`<p><${Status} of="good" words="No service told that it dropped events" /> <span class="soft">they would by <code>telemetry.dropped</code></span></p>`} /><//>`
}

/** @param {{checks: any[]}} props */
const Forwarding = ({ checks }) => html`<${Tile} title="Forwarding to Dash0"><${Found} checks=${checks} of=${['forwarder', 'forwarding', 'dash0', 'dead letters']} otherwise=${html`<${NoData}>No forwarder works on this store: start <code>emp-events forward</code>.<//>`} /><//>`

/** @param {{range: Range}} props */
function Overhead({ range }) {
  const found = useSql(`select service, approx_percentile_cont(0.95) within group (order by cast(data->>'emitMicros' as double)) as micros from events where ${within(range)} and event_type = 'telemetry.measured' group by 1 order by 2 desc`)
  return html`<${Tile} title="Overhead of telemetry"><${Answered} of=${found} quiet what="overhead" children=${(/** @type {any[]} */ rows) => rows.length
    ? html`<${Table} label="Overhead" rows=${rows} columns=${[{ title: 'service', show: (/** @type {any} */ row) => row.service }, { title: '95 of 100 calls below', number: true, show: (/** @type {any} */ row) => `${figure(row.micros)} µs` }]} />`
    : html`<${NoData}>Emit <code>telemetry.measured</code> with <code>emitMicros</code>: what one call to emit cost.<//>`} /><//>`
}

/** @param {{checks: any[]}} props */
function Collector({ checks }) {
  const files = useSql(`select kind, count(*) as files, sum(bytes) as bytes, max(max_timestamp) as newest from files group by 1 order by 1`)
  return html`<${Tile} title="Resources of collector and store"><${Found} checks=${checks} of=${['disk', 'contents']} otherwise=${null} />
    <${Answered} of=${files} quiet what="files" children=${(/** @type {any[]} */ rows) => html`<${Table} label="Files" rows=${rows} columns=${[{ title: 'files', show: (/** @type {any} */ row) => row.kind }, { title: 'count', number: true, show: (/** @type {any} */ row) => count(row.files) }, { title: 'size', number: true, show: (/** @type {any} */ row) => bytes(row.bytes) }, { title: 'newest event', show: (/** @type {any} */ row) => html`<${Time} at=${row.newest} />` }]} />`} />
    <${NoData}>Memory and CPU of the collector: scrape its <code>/metrics</code>.<//><//>`
}

/** @param {{range: Range}} props */
function Patterns({ range }) {
  const found = useAnswer('histogram', { since: range.since, until: range.until, buckets: 60, by: 'event_type' })
  return html`<${Tile} title="Patterns of services: events a minute by type" wide><${Answered} of=${found} quiet what="events by type" children=${(/** @type {any[]} */ bars) => html`<${Rate} bars=${topOf(bars, 7)} range=${range} />`} /><//>`
}

/** The types with most events, the rest as one. @param {any[]} bars @param {number} most */
function topOf(bars, most) {
  const sums = new Map()
  for (const bar of bars) sums.set(bar.key, (sums.get(bar.key) ?? 0) + bar.count)
  const top = new Set([...sums].sort((a, b) => b[1] - a[1]).slice(0, most).map(([key]) => key))
  return bars.map(bar => (top.has(bar.key) ? bar : { ...bar, key: 'others' }))
}

/** @param {{range: Range}} props */
function Errors({ range }) {
  const found = useAnswer('histogram', { since: range.since, until: range.until, buckets: 60, by: 'service', level: 'error' })
  return html`<${Tile} title="Errors a minute by service" wide><${Answered} of=${found} quiet what="errors" children=${(/** @type {any[]} */ bars) => bars.length ? html`<${Rate} bars=${bars} range=${range} />` : html`<p class="good">✔ No errors in this time.</p>`} /><//>`
}

/** @param {{live: boolean}} props */
function Alerts({ live }) {
  const found = useAnswer('anomalies', {}, { every: live ? 15_000 : undefined })
  return html`<${Tile} title="Alerts"><${Answered} of=${found} quiet what="alerts" children=${(/** @type {any[]} */ rows) => {
    const loud = rows.filter(row => row.severity === 'alert')
    return loud.length ? html`<ul class="findings">${loud.slice(0, 6).map(one => html`<li><${Status} of="alert" words=${one.kind.replace(/_/g, ' ')} /> ${one.message}</li>`)}</ul><a href=${link('anomalies')}>all ${count(rows.length)}</a>` : html`<p class="good">✔ Nothing is unusual.</p>`
  }} /><//>`
}
