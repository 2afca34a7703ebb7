// Tail: events as they come. What is held back while it is paused comes afterwards, each once; what was lost is drawn.
import { html, useEffect, useMemo, useRef, useState } from '../html.js'
import { apiAddress, ask, asked, connection, queryOf } from '../ask.js'
import { link, route } from '../route.js'
import { useStore } from '../store.js'
import { useKeys } from '../keys.js'
import { Head, Nothing, Status, meta } from '../parts.js'
import { count, some } from '../units.js'
import { EventDetail, eventCells, eventColumns, eventTone } from '../event.js'
import { Filters, filtersOf } from '../filters.js'
import { List } from '../list.js'

/** What a tab keeps; older ones are in the store. */
const KEPT = 20_000
/** What is held while paused; above it the stream is left, and taken up again where it was. */
const HELD = 5000

/**
 * @typedef {object} Flow
 * @property {any[]} rows the newest first
 * @property {any[]} held while paused, the oldest first
 * @property {string} last id of the newest entry that came, for what follows it
 * @property {number} seen
 * @property {number} more entries that were too many to show
 * @property {number} lost
 */

export function View() {
  const { query } = useStore(route)
  const filters = filtersOf(query)
  return html`<${Tail} key=${queryOf(filters)} filters=${filters} query=${query} />`
}

/** @param {{filters: Record<string, any>, query: URLSearchParams}} props */
function Tail({ filters, query }) {
  const told = useStore(meta)
  const [paused, setPaused] = useState(false)
  const { flow, state, failure, release } = useFlow(filters, paused)
  const [chosen, setChosen] = useState(/** @type {any} */ (null))
  const selected = useMemo(() => (chosen ? flow.rows.indexOf(chosen) : -1), [flow.rows, chosen])
  const toggle = () => {
    if (paused) release()
    setPaused(!paused)
  }
  useKeys({ ' ': toggle, p: toggle })
  useEffect(() => asked.set({ command: commandOf(filters), sql: '' }), [])
  const words = { opening: 'opening …', open: told.live ? 'live' : 'waiting for events', lost: 'lost: trying again', full: 'paused' }[state]
  return html`
    <${Head} title="Tail" answers=${`Events as they come: ${some(flow.seen, 'event')} so far`}>
      <span class=${`pill ${state === 'open' && !paused ? 'good' : state === 'lost' ? 'bad' : ''}`} role="status"><span class="dot" aria-hidden="true"></span> ${paused ? 'paused' : words}</span>
      <button type="button" class=${paused ? 'main' : ''} aria-pressed=${paused} title="Space" onClick=${toggle}>
        ${paused ? `Go on${flow.held.length ? `: ${count(flow.held.length)}${state === 'full' ? ' and more' : ''} new` : ''}` : 'Pause'}</button>
      <a class="button" href=${link('search', filters)}>Search these</a><//>
    <${Filters} query=${query} />
    ${failure && html`<p class="told bad" role="alert">✖ ${failure}</p>`}
    ${(flow.lost > 0 || flow.more > 0) && html`<p class="soft">${flow.lost > 0 && html`<span class="bad">✖ ${some(flow.lost, 'entry was', 'entries were')} lost</span> `}${flow.more > 0 && html`${count(flow.more)} more came too fast to be shown one by one; each is in the store.`}</p>`}
    ${!flow.rows.length ? html`<${Nothing}>${state === 'open' ? 'Nothing has come yet.' : 'Asking for events …'} ${!told.live && 'No collector writes to this store.'}<//>` : html`
    <div class=${chosen ? 'split has-detail' : 'split'}>
      <${List} kind="of-tail" follow rows=${flow.rows} label="Events, the newest first" columns=${eventColumns} cells=${cells} tone=${tone} selected=${selected}
        select=${(/** @type {number} */ at) => setChosen(flow.rows[at])} />
      ${chosen && !chosen.mark && html`<aside class="raw"><${EventDetail} event=${chosen} close=${() => setChosen(null)} /></aside>`}
    </div>`}`
}

/** A row that is no event says what is missing between two that are. @param {any} row */
const cells = row => (row.mark ? ['', html`<${Status} of=${row.mark === 'lost' ? 'bad' : 'note'} words="" />`, '', '', '', '', row.words] : eventCells(row))
/** @param {any} row */
const tone = row => (row.mark ? `mark ${row.mark === 'lost' ? 'is-error' : ''}` : eventTone(row))

/** @param {Record<string, any>} filters */
function commandOf(filters) {
  const options = Object.entries(filters).flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map(one => ` --${name} '${String(one).replace(/'/g, "'\\''")}'`))
  return `emp-events tail${options.join('')}`
}

/** @type {Flow} */
const EMPTY = { rows: [], held: [], last: '', seen: 0, more: 0, lost: 0 }

/**
 * @param {Record<string, any>} filters
 * @param {boolean} paused
 */
function useFlow(filters, paused) {
  const [flow, setFlow] = useState(EMPTY)
  const [state, setState] = useState(/** @type {'opening' | 'open' | 'lost' | 'full'} */ ('opening'))
  const [failure, setFailure] = useState('')
  const kept = useRef(EMPTY)
  const isPaused = useRef(paused)
  isPaused.current = paused
  const isFull = state === 'full'

  useEffect(() => {
    if (isFull && paused) return
    let frame = 0
    let retry = 0
    let isClosed = false
    /** @type {EventSource | undefined} */
    let source
    // At most once a frame: at thousands of events a second the screen has its time, too.
    const show = () => {
      if (!frame) frame = requestAnimationFrame(() => { frame = 0; setFlow(kept.current) })
    }
    /** @param {any[]} rows @param {Partial<Flow>} [counts] */
    const take = (rows, counts = {}) => {
      const old = kept.current
      kept.current = isPaused.current
        ? { ...old, ...counts, held: [...old.held, ...rows] }
        : { ...old, ...counts, rows: [...rows.slice().reverse(), ...old.rows].slice(0, KEPT) }
      show()
      if (isPaused.current && kept.current.held.length >= HELD) setState('full')
    }
    const again = () => {
      if (!isClosed) retry = setTimeout(open, 1000)
    }
    const open = async () => {
      // Whatever comes from now on follows the newest entry there is: so it does after any interruption, too.
      if (!kept.current.last) {
        const newest = await ask('events', { limit: 1 }).catch(() => null)
        if (newest) kept.current = { ...kept.current, last: newest.data[0]?.id ?? '0-0' }
      }
      if (isClosed || document.hidden) return
      source = new EventSource(apiAddress('tail', { ...filters, after: kept.current.last }))
      source.onopen = () => { setState('open'); setFailure(''); connection.set('good') }
      source.onerror = () => {
        if (isClosed || document.hidden) return
        setState('lost')
        // After an answer that is no stream the browser does not try again by itself.
        source?.close()
        // A browser does not say why; a filter that makes no sense will not make any in a second.
        ask('events', { ...filters, limit: 1 }).then(
          () => again(),
          error => (error.kind === 'usage' ? setFailure(error.message) : again()),
        )
      }
      source.addEventListener('failed', event => setFailure(JSON.parse(/** @type {MessageEvent} */ (event).data).message))
      source.addEventListener('events', event => {
        const { data, lastEventId } = /** @type {MessageEvent} */ (event)
        const rows = JSON.parse(data)
        take(rows, { last: lastEventId || rows[rows.length - 1]?.id || kept.current.last, seen: kept.current.seen + rows.length })
      })
      source.addEventListener('lost', event => {
        const { data } = /** @type {MessageEvent} */ (event)
        const { n, after } = JSON.parse(data)
        const many = n == null ? 'Entries were' : some(n, 'entry was', 'entries were')
        take([{ id: `lost-${after ?? kept.current.last}-${n}`, mark: 'lost', words: `${many} lost here: the stream had trimmed them before they were read` }], { lost: kept.current.lost + (n ?? 0) })
      })
      source.addEventListener('more', event => {
        const { data, lastEventId } = /** @type {MessageEvent} */ (event)
        const { n } = JSON.parse(data)
        take([{ id: `more-${lastEventId || kept.current.last}-${n}`, mark: 'more', words: `${count(n)} more came here, too fast to be shown` }],
          { more: kept.current.more + n, seen: kept.current.seen + n, last: lastEventId || kept.current.last })
      })
    }
    // A browser keeps six connections to a server, for all its tabs: one that nobody sees leaves its own to others.
    const seen = () => {
      if (document.hidden) source?.close()
      else if (!source || source.readyState === EventSource.CLOSED) { clearTimeout(retry); open() }
    }
    document.addEventListener('visibilitychange', seen)
    if (!document.hidden) open()
    return () => {
      isClosed = true
      document.removeEventListener('visibilitychange', seen)
      source?.close()
      clearTimeout(retry)
      cancelAnimationFrame(frame)
    }
  }, [isFull && paused])

  const release = () => {
    const old = kept.current
    kept.current = { ...old, held: [], rows: [...old.held.slice().reverse(), ...old.rows].slice(0, KEPT) }
    setFlow(kept.current)
    if (isFull) setState('opening')
  }
  return { flow, state, failure, release }
}
