// Charts of what passes between the events of jobs, from the events of the range alone: a few tenths of a second of a year.
import { html, useMemo } from './html.js'
import { useSql } from './ask.js'
import { Answered, Nothing } from './parts.js'
import { Chart, seriesOf } from './charts.js'
import { Latency, bucketOf } from './views/perf.js'
import { count, iso, toMs } from './units.js'
import { setQuery } from './route.js'

/** @typedef {import('./parts.js').Range} Range */

/**
 * Each event with the one before it in its job, of those in the range: by when they came into Redis, which is one clock for all.
 * @param {Range} range
 */
const steps = range => `with steps as (
  select timestamp, service, lag(service) over job as service_before,
    cast(ingested_at as bigint) - cast(lag(ingested_at) over job as bigint) as ms
  from events
  where timestamp >= '${range.since}' and timestamp < '${range.until}' and job_id is not null
  window job as (partition by job_id order by ingested_at, id)
)`

/** How long handoffs took over time. @param {{range: Range}} props */
export function HandoffsOverTime({ range }) {
  const found = useSql(`${steps(range)}
select date_bin(interval '${bucketOf(range)} seconds', timestamp) as at, approx_percentile_cont(0.5) within group (order by ms) as p50,
  approx_percentile_cont(0.95) within group (order by ms) as p95
from steps
where service <> service_before and ms >= 0
group by 1 order by 1`)
  return html`<${Answered} of=${found} quiet what="handoffs over time" children=${(/** @type {any[]} */ rows) => html`<${Latency} rows=${rows} range=${range} />
    <p class="soft">All handoffs over time, by when events came into Redis.</p>`} />`
}

/** How long jobs were silent over time. @param {{range: Range, least: string}} props */
export function SilencesOverTime({ range, least }) {
  const found = useSql(`${steps(range)}
select date_bin(interval '${bucketOf(range)} seconds', timestamp) as at, count(*) as silences
from steps
where ms >= ${msOf(least)}
group by 1 order by 1`)
  return html`<${Answered} of=${found} quiet what="silences over time" children=${(/** @type {any[]} */ rows) => html`<${Silences} rows=${rows} range=${range} />`} />`
}

/** @param {{rows: any[], range: Range}} props */
function Silences({ rows, range }) {
  const { times, series } = useMemo(() => {
    const step = bucketOf(range) * 1000
    return seriesOf(rows.map(row => ({ from_ms: toMs(row.at), until_ms: toMs(row.at) + step, key: 'silences that ended', count: row.silences })), range)
  }, [rows])
  if (!rows.length) return html`<${Nothing}>None ended in this time.<//>`
  return html`<${Chart} times=${times} series=${series} stacked label="Silences over time, when they ended" height=${120} format=${count} range=${[range.sinceMs, range.untilMs]}
    zoom=${(/** @type {number} */ from, /** @type {number} */ until) => setQuery({ since: iso(from), until: iso(until) })} />`
}

/** Events of each worker over time. @param {{range: Range}} props */
export function WorkersOverTime({ range }) {
  const step = bucketOf(range)
  const found = useSql(`select date_bin(interval '${step} seconds', timestamp) as at, worker_id, count(*) as events
from events
where timestamp >= '${range.since}' and timestamp < '${range.until}' and worker_id is not null
group by 1, 2 order by 1`)
  return html`<${Answered} of=${found} quiet what="events of workers" children=${(/** @type {any[]} */ rows) => html`<${Workers} rows=${rows} range=${range} step=${step * 1000} />`} />`
}

/** @param {{rows: any[], range: Range, step: number}} props */
function Workers({ rows, range, step }) {
  const { times, series } = useMemo(() => {
    const sums = new Map()
    for (const row of rows) sums.set(row.worker_id, (sums.get(row.worker_id) ?? 0) + row.events)
    const top = new Set([...sums].sort((a, b) => b[1] - a[1]).slice(0, 7).map(([worker]) => worker))
    return seriesOf(rows.map(row => ({ from_ms: toMs(row.at), until_ms: toMs(row.at) + step, key: top.has(row.worker_id) ? row.worker_id : 'others', count: row.events })), range)
  }, [rows])
  if (!rows.length) return null
  return html`<${Chart} times=${times} series=${series} stacked label="Events of workers over time" height=${120} format=${count} range=${[range.sinceMs, range.untilMs]}
    zoom=${(/** @type {number} */ from, /** @type {number} */ until) => setQuery({ since: iso(from), until: iso(until) })} />`
}

/** A duration as people type it, such as `500ms` or `1m`; five seconds where it is none. @param {string} text */
function msOf(text) {
  const match = text.match(/^\s*([\d.]+)\s*(ms|s|m|h)?/)
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  return match ? Number(match[1]) * units[/** @type {keyof typeof units} */ (match[2] ?? 's')] : 5000
}
