// Gaps: the longest silences inside jobs, and between which events they are.
import { html, useRef } from '../html.js'
import { useAnswer } from '../ask.js'
import { route, setQuery } from '../route.js'
import { useStore } from '../store.js'
import { Answered, Head, Job, Nothing, Table, Time, useRange } from '../parts.js'
import { SilencesOverTime } from '../steps.js'
import { count, duration } from '../units.js'

export function View() {
  const { query } = useStore(route)
  const range = useRange(21_600_000)
  const by = query.get('by') === 'gap' ? 'gap' : 'class'
  const least = query.get('min-gap') ?? '5s'
  const field = useRef(/** @type {HTMLInputElement | null} */ (null))
  const gaps = useAnswer('gaps', { since: range.since, until: range.until, by, 'min-gap': least, limit: 200 }, { main: true })
  return html`<${Head} title="Gaps" answers="The longest silences inside jobs, and between which events" range=${range}>
      <form onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); setQuery({ 'min-gap': field.current?.value || null }) }}><label class="soft">from <input ref=${field} size="5" value=${least} aria-label="Silences from this length on" /></label></form>
      <button type="button" aria-pressed=${by === 'class'} onClick=${() => setQuery({ by: 'class' })}>by class</button><button type="button" aria-pressed=${by === 'gap'} onClick=${() => setQuery({ by: 'gap' })}>each</button><//>
    <${SilencesOverTime} range=${range} least=${least} />
    <${Answered} of=${gaps} what="the silences" children=${(/** @type {any[]} */ rows) => !rows.length ? html`<${Nothing}>No job was silent for ${least} or longer.<//>`
      : by === 'class' && rows[0].gaps !== undefined ? html`<${Classes} rows=${rows} />` : html`<${Each} rows=${rows} />`} />`
}

/** @param {any} row */
const between = row => html`${row.from_event} <span class="soft">${row.from_service}</span> → ${row.to_event} <span class="soft">${row.to_service}</span>`

/** @param {{rows: any[]}} props */
function Classes({ rows }) {
  const most = Math.max(...rows.map(row => row.total_ms))
  const number = (/** @type {string} */ title, /** @type {string} */ key) => ({ title, number: true, by: (/** @type {any} */ row) => row[key], show: (/** @type {any} */ row) => duration(row[key]) })
  return html`<${Table} label="Silences by class" rows=${rows} columns=${[
    { title: 'between', wide: true, by: (/** @type {any} */ row) => row.from_event, show: between },
    { title: 'silences', number: true, by: (/** @type {any} */ row) => row.gaps, show: (/** @type {any} */ row) => count(row.gaps) },
    number('altogether', 'total_ms'), { title: 'share', show: (/** @type {any} */ row) => html`<span class="meter wide" aria-hidden="true"><i style=${{ width: `${(row.total_ms / most) * 100}%` }}></i></span>` },
    number('p50', 'p50_ms'), number('p95', 'p95_ms'), number('longest', 'max_ms'), { title: 'in', show: (/** @type {any} */ row) => html`<${Job} id=${row.worst_job} />` },
  ]} />`
}

/** @param {{rows: any[]}} props */
function Each({ rows }) {
  const most = Math.max(...rows.map(row => row.gap_ms))
  return html`<${Table} label="Silences" rows=${rows} columns=${[
    { title: 'job', show: (/** @type {any} */ row) => html`<${Job} id=${row.job_id} />` },
    { title: 'silent for', number: true, by: (/** @type {any} */ row) => row.gap_ms, show: (/** @type {any} */ row) => duration(row.gap_ms) },
    { title: 'length', show: (/** @type {any} */ row) => html`<span class="meter wide" aria-hidden="true"><i style=${{ width: `${(row.gap_ms / most) * 100}%` }}></i></span>` },
    { title: 'between', wide: true, by: (/** @type {any} */ row) => row.from_event, show: between },
    { title: 'from', by: (/** @type {any} */ row) => row.from_time, show: (/** @type {any} */ row) => html`<${Time} at=${row.from_time} />` },
  ]} />`
}
