// Handoffs: how long jobs take from one service to the next.
import { html } from '../html.js'
import { useAnswer } from '../ask.js'
import { Answered, Head, Job, Nothing, Table, useRange } from '../parts.js'
import { HandoffsOverTime } from '../steps.js'
import { count, duration } from '../units.js'

export function View() {
  const range = useRange(21_600_000)
  const found = useAnswer('handoffs', { since: range.since, until: range.until, limit: 200 }, { main: true })
  return html`<${Head} title="Handoffs" answers="How long jobs take from one service to the next" range=${range} />
    <${Answered} of=${found} what="the handoffs" children=${(/** @type {any[]} */ rows) => !rows.length ? html`<${Nothing}>No job went from one service to another.<//>` : html`<${HandoffsOverTime} range=${range} /><${Rows} rows=${rows} />`} />`
}

/** @param {{rows: any[]}} props */
function Rows({ rows }) {
  // Milliseconds and minutes side by side: each step to the right is as much longer.
  const [low, high] = [Math.log(Math.max(0.5, Math.min(...rows.map(row => row.p50_ms ?? 1)) / 2)), Math.log(Math.max(2, ...rows.map(row => row.max_ms ?? 1)))]
  const x = (/** @type {number} */ ms) => `${Math.max(0, Math.min(100, ((Math.log(Math.max(0.5, ms)) - low) / (high - low || 1)) * 100))}%`
  const ms = (/** @type {string} */ title, /** @type {string} */ key) => ({ title, number: true, by: (/** @type {any} */ row) => row[key], show: (/** @type {any} */ row) => duration(row[key]) })
  return html`<${Table} label="Handoffs" rows=${rows} columns=${[
    { title: 'from', by: (/** @type {any} */ row) => row.from_service, show: (/** @type {any} */ row) => row.from_service }, { title: 'to', by: (/** @type {any} */ row) => row.to_service, show: (/** @type {any} */ row) => html`→ ${row.to_service}` },
    { title: 'handoffs', number: true, by: (/** @type {any} */ row) => row.handoffs, show: (/** @type {any} */ row) => count(row.handoffs) },
    { title: 'p50 to p99, longest', hint: 'on a scale on which each step is as much longer', show: (/** @type {any} */ row) => html`<span class="spread" aria-hidden="true"><i style=${{ left: x(row.p50_ms), right: `calc(100% - ${x(row.p99_ms)})` }}></i><b style=${{ left: x(row.p95_ms) }}></b><u style=${{ left: x(row.max_ms) }}></u></span>` },
    ms('p50', 'p50_ms'), ms('p95', 'p95_ms'), ms('p99', 'p99_ms'), ms('longest', 'max_ms'),
    { title: 'in', show: (/** @type {any} */ row) => row.worst_job && html`<${Job} id=${row.worst_job} />` },
    { title: 'back in time', number: true, hint: 'by clocks that are wrong; left out of the rest', by: (/** @type {any} */ row) => row.skewed, show: (/** @type {any} */ row) => row.skewed ? html`<span class="warn">▲ ${count(row.skewed)}</span>` : '–' },
  ]} />`
}
