// Performance: how often things happen, how long they take, how much fails, and whether that has changed.
import { html, useMemo } from '../html.js'
import { apiAddress, useAnswer, useSql } from '../ask.js'
import { link, route, setQuery } from '../route.js'
import { useStore } from '../store.js'
import { Answered, Head, Nothing, Table, Time, useRange } from '../parts.js'
import { count, duration, figure, iso, percent, toMs } from '../units.js'
import { Chart, seriesOf } from '../charts.js'

const BY = ['event_type', 'service', 'worker_id', 'machine_id', 'level', 'user_id']

/** A width of buckets that makes about so many of a range. @param {import('../parts.js').Range} range */
export const bucketOf = range => Math.max(1, Math.ceil((range.untilMs - range.sinceMs) / 90_000))

export function View() {
  const { query } = useStore(route)
  const range = useRange(21_600_000)
  const by = query.get('by') ?? 'event_type'
  const perf = useAnswer('perf', { since: range.since, until: range.until, by, limit: 200 }, { main: true })
  const chosen = query.get('one')
  return html`<${Head} title="Performance" answers="How often, how long, how much fails, beside the same time before" range=${range}>
      <label class="soft">by <select value=${by} onChange=${(/** @type {any} */ event) => setQuery({ by: event.target.value, one: null })}>${[...new Set([...BY, by])].map(one => html`<option value=${one}>${one}</option>`)}</select></label>
      <a class="button" download href=${apiAddress('report', { since: range.since, until: range.until })}>Keep as a report</a><//>
    <${Overview} range=${range} by=${by} chosen=${chosen} />
    <${Answered} of=${perf} what="rates and durations" children=${(/** @type {any[]} */ rows) => html`<${Rows} rows=${rows} by=${by} range=${range} />`} />
    <${WhySlow} range=${range} />`
}

/** @param {{range: import('../parts.js').Range, by: string, chosen: string | null}} props */
function Overview({ range, by, chosen }) {
  const option = { event_type: 'event-type', worker_id: 'worker-id', machine_id: 'machine-id', user_id: 'user-id' }[by] ?? by
  const rate = useAnswer('histogram', { since: range.since, until: range.until, buckets: 90, by: chosen ? 'level' : 'service', ...(chosen ? { [option]: chosen } : {}) })
  const seconds = bucketOf(range)
  const isColumn = BY.includes(by)
  const latency = useSql(chosen && isColumn ? `select date_bin(interval '${seconds} seconds', timestamp) as at, approx_percentile_cont(0.5) within group (order by duration_ms) as p50, approx_percentile_cont(0.95) within group (order by duration_ms) as p95
from events
where timestamp >= '${range.since}' and timestamp < '${range.until}' and duration_ms is not null and ${by} = '${chosen.replace(/'/g, "''")}'
group by 1 order by 1` : null)
  return html`${chosen && html`<p><strong>${chosen}</strong> <button type="button" class="quiet" onClick=${() => setQuery({ one: null })}>✕ all</button></p>`}
    <div class="pair"><${Answered} of=${rate} quiet what="rates" children=${(/** @type {any[]} */ bars) => html`<${Rate} bars=${bars} range=${range} />`} />
    ${chosen && isColumn && html`<${Answered} of=${latency} quiet what="durations over time" children=${(/** @type {any[]} */ rows) => html`<${Latency} rows=${rows} range=${range} />`} />`}</div>`
}

/** @param {{bars: any[], range: import('../parts.js').Range}} props */
export function Rate({ bars, range }) {
  const { times, series } = useMemo(() => {
    // The first part and the last one may reach beyond the range, of which alone the events are counted.
    const minutes = (/** @type {any} */ bar) => (Math.min(bar.until_ms, range.untilMs) - Math.max(bar.from_ms, range.sinceMs)) / 60_000
    return seriesOf(bars, range, bar => bar.count / (minutes(bar) || 1))
  }, [bars])
  if (!bars.length) return html`<${Nothing}>No events in this range of time.<//>`
  return html`<${Chart} times=${times} series=${series} stacked label="Events a minute" height=${130} range=${[range.sinceMs, range.untilMs]}
    zoom=${(/** @type {number} */ from, /** @type {number} */ until) => setQuery({ since: iso(from), until: iso(until) })} />`
}

/** @param {any[]} rows @param {number} step */
const withGaps = (rows, step) => rows.flatMap((row, at) => (at > 0 && toMs(row.at) - toMs(rows[at - 1].at) > 2 * step ? [{ at: toMs(row.at) - step }, row] : [row]))

/** @param {{rows: any[], range: import('../parts.js').Range, names?: [string, string][]}} props */
export function Latency({ rows, range, names = [['p50', '--s0'], ['p95', '--s2']] }) {
  const { times, series } = useMemo(() => {
    // Where nothing was measured there is no line.
    const filled = withGaps(rows, bucketOf(range) * 1000)
    return { times: filled.map(row => toMs(row.at)), series: names.map(([name, colour]) => ({ name, colour, values: filled.map(row => row[name] ?? null) })) }
  }, [rows])
  if (!rows.length) return html`<${Nothing}>It has no durations.<//>`
  return html`<${Chart} times=${times} series=${series} label="Durations over time: half are below p50, 95 of 100 below p95" height=${130} format=${duration} range=${[range.sinceMs, range.untilMs]}
    zoom=${(/** @type {number} */ from, /** @type {number} */ until) => setQuery({ since: iso(from), until: iso(until) })} />`
}

/** @param {{rows: any[], by: string, range: import('../parts.js').Range}} props */
function Rows({ rows, by, range }) {
  const option = { event_type: 'event-type', worker_id: 'worker-id', machine_id: 'machine-id', user_id: 'user-id' }[by] ?? by
  const ms = (/** @type {string} */ title, /** @type {string} */ key) => ({ title, number: true, by: (/** @type {any} */ row) => row[key], show: (/** @type {any} */ row) => (row[key] == null ? html`<span class="soft">–</span>` : duration(row[key])) })
  return html`<${Table} label="Rates and durations" rows=${rows} columns=${[
    { title: by, by: (/** @type {any} */ row) => row[by] ?? row.key, show: (/** @type {any} */ row) => html`<button type="button" class="as-link" onClick=${() => { setQuery({ one: row[by] ?? row.key }); scrollTo(0, 0) }}>${row[by] ?? row.key ?? '–'}</button>` },
    { title: 'events', number: true, by: (/** @type {any} */ row) => row.count, show: (/** @type {any} */ row) => html`<a href=${link('search', { [option]: row[by] ?? row.key, since: range.since, until: range.until })}>${count(row.count)}</a>` },
    { title: 'a minute', number: true, by: (/** @type {any} */ row) => row.per_min, show: (/** @type {any} */ row) => figure(row.per_min) },
    { title: 'errors', number: true, by: (/** @type {any} */ row) => row.error_share, show: (/** @type {any} */ row) => html`<span class=${row.errors ? 'bad' : 'soft'}>${row.errors ? `✖ ${percent(row.error_share)}` : '–'}</span>` },
    ms('p50', 'p50_ms'), ms('p95', 'p95_ms'), ms('p99', 'p99_ms'), ms('longest', 'max_ms'),
    { title: 'p50 before', number: true, by: (/** @type {any} */ row) => row.p50_before_ms, show: (/** @type {any} */ row) => duration(row.p50_before_ms) },
    { title: 'change', number: true, hint: 'bold where it is real: q of 0.01 or less', by: (/** @type {any} */ row) => row.change, show: changed },
    { title: 'spread', show: (/** @type {any} */ row) => html`<span class="id" aria-hidden="true">${row.histogram ?? ''}</span>` },
  ]} />`
}

/** @param {any} row */
function changed(row) {
  if (row.change == null) return html`<span class="soft">–</span>`
  const words = `${row.change > 0 ? '▲ +' : '▼ '}${Math.round(row.change * 100)} %`
  return row.is_real ? html`<strong class=${row.change > 0 ? 'bad' : 'good'}>${words}</strong>` : html`<span class="soft" title=${`no more than chance: q = ${figure(row.q)}`}>${words}</span>`
}

/** @param {{range: import('../parts.js').Range}} props */
function WhySlow({ range }) {
  const found = useAnswer('why-slow', { since: range.since, until: range.until })
  return html`<section class="below"><h2>What slow jobs have in common</h2><${Answered} of=${found} what="what slow jobs have in common" children=${(/** @type {any} */ data) => html`
    <p class="soft">${count(data.slow)} of ${count(data.jobs)} jobs took twice as long as half of their kind.</p>
    ${data.traits.length ? html`<${Table} label="Traits of slow jobs" rows=${data.traits} columns=${[
      { title: 'trait', wide: true, show: (/** @type {any} */ row) => html`<span class="soft">${row.key}</span> ${row.key === 'worker_id' ? html`<a class="id" href=${link('search', { 'worker-id': row.value, since: range.since, until: range.until })}>${row.value}</a>` : row.value}` },
      { title: 'slow with it', number: true, by: (/** @type {any} */ row) => row.slow_with / row.with, show: (/** @type {any} */ row) => `${count(row.slow_with)} of ${count(row.with)}, ${percent(row.slow_with / row.with)}` },
      { title: 'without', number: true, show: (/** @type {any} */ row) => `${count(row.slow_without)} of ${count(row.without)}, ${percent(row.slow_without / row.without)}` },
      { title: 'q', number: true, by: (/** @type {any} */ row) => row.q, show: (/** @type {any} */ row) => row.q < 0.0001 ? row.q.toExponential(0) : figure(row.q) },
      { title: 'speed', show: (/** @type {any} */ row) => row.speed ? html`×${figure(row.speed.factor)} as long as its peers since <${Time} at=${row.speed.since} />` : '' },
    ]} />` : html`<${Nothing}>Nothing that the others do not have as well.<//>`}`} /></section>`
}
