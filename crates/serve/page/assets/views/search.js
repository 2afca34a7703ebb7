// Search: how many events there were over time, what they have in common, and each of them.
import { html, useCallback, useEffect, useMemo, useRef, useState } from '../html.js'
import { ask, asked, queryOf, useAnswer } from '../ask.js'
import { link, route, setQuery } from '../route.js'
import { useStore } from '../store.js'
import { useKeys } from '../keys.js'
import { Answered, Head, Notes, Nothing, Status, Waiting, useRange } from '../parts.js'
import { count, iso, some } from '../units.js'
import { Chart, seriesOf } from '../charts.js'
import { EventDetail, eventCells, eventColumns, eventTone } from '../event.js'
import { Filters, OF_FACET, filtersOf, toggled } from '../filters.js'
import { List } from '../list.js'

const PAGE = 1000

export function View() {
  const { query } = useStore(route)
  const range = useRange(3_600_000)
  const filters = filtersOf(query)
  const asking = { ...filters, since: range.since, until: range.until }
  const histogram = useAnswer('histogram', { ...asking, buckets: 120, by: 'level' })
  const facets = useAnswer('facets', { ...asking, of: ['service', 'event_type', 'level'] })
  // Over a long time this one takes longest; the others are not kept waiting.
  const workers = useAnswer('facets', { ...asking, of: 'worker_id' })
  const total = histogram.answer?.data.reduce((/** @type {number} */ sum, /** @type {any} */ bar) => sum + bar.count, 0)
  useKeys({ r: () => { histogram.again(); facets.again(); workers.again() } })
  return html`
    <${Head} title="Search" answers=${total === undefined ? 'Events, the newest first' : `${some(total, 'event')}, the newest first`} range=${range}>
      <a class="button" href=${link('tail', /** @type {any} */ (filters))}>Tail these</a><//>
    <${Filters} query=${query} />
    <${Answered} of=${histogram} what="the events over time" children=${(/** @type {any[]} */ bars) => html`<${Histogram} bars=${bars} range=${range} />`} />
    <div class="searched">
      <aside aria-label="Facets"><${Answered} of=${facets} quiet what="what they have in common" children=${(/** @type {any[]} */ rows) => html`<${Facets} rows=${rows} query=${query} />`} />
        <${Answered} of=${workers} quiet what="whose they are" children=${(/** @type {any[]} */ rows) => html`<${Facets} rows=${rows} query=${query} />`} /></aside>
      <${Found} key=${queryOf(asking)} asking=${asking} total=${total} range=${range} />
    </div>`
}

/** @param {{bars: any[], range: import('../parts.js').Range}} props */
function Histogram({ bars, range }) {
  const { times, series } = useMemo(() => seriesOf(bars, range), [bars])
  if (!bars.length) return html`<${Nothing}>Nothing in this range of time.<//>`
  return html`<${Chart} times=${times} series=${series} stacked label="Events over time, by level; draw a range to look closer"
    height=${120} format=${count} range=${[range.sinceMs, range.untilMs]} zoom=${(/** @type {number} */ from, /** @type {number} */ until) => setQuery({ since: iso(from), until: iso(until) })} />`
}

/** @param {{rows: any[], query: URLSearchParams}} props */
function Facets({ rows, query }) {
  const names = [...new Set(rows.map(row => row.facet))]
  return names.map(name => {
    const option = OF_FACET[name]
    const chosen = (query.get(option) ?? '').split(',')
    const of = rows.filter(row => row.facet === name)
    const most = Math.max(...of.map(row => row.count))
    return html`<section class="facet"><h2>${name.replace('_id', '').replace('_', ' ')}</h2><ul>${of.map(row => html`<li>
      <button type="button" class="quiet" aria-pressed=${chosen.includes(row.value)} disabled=${!option} onClick=${() => setQuery({ [option]: toggled(query, option, row.value) })}>
        <i style=${{ width: `${(row.count / most) * 100}%` }}></i>
        <span class="value">${name === 'level' ? html`<${Status} of=${row.value} />` : row.value}</span><span class="number">${count(row.count)}</span></button></li>`)}</ul></section>`
  })
}

/**
 * Pages of rows, each taken where the one before ended: what comes meanwhile moves nothing.
 * @param {{asking: Record<string, any>, total: number | undefined, range: import('../parts.js').Range}} props
 */
function Found({ asking, total, range }) {
  const [rows, setRows] = useState(/** @type {any[]} */ ([]))
  const [told, setTold] = useState({ notes: /** @type {string[]} */ ([]), failure: '', isDone: false, isFirst: true })
  const [selected, setSelected] = useState(-1)
  const busy = useRef(false)
  const aborter = useRef(new AbortController())
  useEffect(() => () => aborter.current.abort(), [])
  const more = useCallback(async () => {
    if (busy.current || told.isDone) return
    busy.current = true
    try {
      const before = rows[rows.length - 1]?.id
      const answer = await ask('events', { ...asking, before, limit: PAGE }, { signal: aborter.current.signal })
      if (!before) asked.set({ command: answer.command, sql: answer.sql })
      setRows([...rows, ...answer.data])
      setTold({ notes: answer.notes, failure: '', isDone: answer.data.length < PAGE, isFirst: false })
    } catch (error) {
      if (!aborter.current.signal.aborted) setTold({ ...told, failure: error instanceof Error ? error.message : String(error), isFirst: false })
    } finally {
      busy.current = false
    }
  }, [rows, told])
  useEffect(() => void more(), [])
  const event = rows[selected]
  return html`<div class=${event ? 'split has-detail' : 'split'}><div>
      <${Notes} notes=${told.notes} />
      ${told.failure && html`<p class="told bad" role="alert">✖ ${told.failure} <button type="button" onClick=${more}>Ask again</button></p>`}
      ${told.isFirst ? html`<${Waiting} what="the events" />` : !rows.length && !told.failure ? html`<${Nothing}>No event is like that. Take a filter away, or look at a longer time.<//>`
        : html`<${List} kind="of-search" rows=${rows} total=${Math.max(total ?? 0, rows.length)} label="Events" columns=${eventColumns} cells=${eventCells} tone=${eventTone}
          selected=${selected} select=${setSelected} more=${more} />
        <p class="soft">${count(rows.length)} of ${count(Math.max(total ?? 0, rows.length))} are here; the rest come as you scroll.</p>`}</div>
    ${event && html`<aside class="raw"><${EventDetail} event=${event} range=${range} close=${() => setSelected(-1)} /></aside>`}</div>`
}
