// What every view is made of.
import { html, useEffect, useMemo, useRef, useState } from './html.js'
import { ask, connection } from './ask.js'
import { store, useStore } from './store.js'
import { go, jobLink, link, readable, route, setQuery } from './route.js'
import { duration, iso, moment, toMs } from './units.js'

/** What the server said about itself and its store; asked once, and again by views that are live. */
export const meta = store(/** @type {any} */ (null))

export async function askMeta() {
  const { data } = await ask('meta')
  meta.set(data)
  return data
}

/** The time that the store is looked at: of a copy, that of its newest event. */
export function now() {
  const told = meta.get()
  return !told || told.live ? Date.now() : toMs(told.now)
}

/** @type {Record<string, [sign: string, tone: string, words?: string]>} */
const SIGNS = {
  failed: ['✖', 'bad'], worker_silent: ['✖', 'bad'], stuck: ['■', 'bad'], webhook_undelivered: ['✖', 'bad'],
  retry_loop: ['↻', 'warn'], waiting: ['…', 'warn'], claimed_not_started: ['■', 'warn'], running_slow: ['▲', 'warn'],
  done_slow: ['▲', 'warn'], running: ['▶', 'calm'], done: ['✔', 'good'], not_found: ['?', 'calm'], no_data: ['?', 'calm'],
  good: ['✔', 'good'], degraded: ['▲', 'warn'], bad: ['✖', 'bad'], alert: ['▲', 'bad'], note: ['·', 'calm'],
  alive: ['✔', 'good'], silent: ['✖', 'bad'], stopped: ['■', 'calm'], error: ['✖', 'bad'], warn: ['▲', 'warn'],
  info: ['·', 'calm'], debug: ['·', 'calm'], new: ['+', 'calm'], gone: ['−', 'calm'], more: ['↑', 'calm'], less: ['↓', 'calm'],
  slower: ['▲', 'warn'], faster: ['▼', 'good'],
}

/**
 * How something is, by a sign and a word: a colour only underlines it.
 * @param {{of: string, words?: string, big?: boolean}} props
 */
export function Status({ of, words, big }) {
  const [sign, tone] = SIGNS[of] ?? ['·', 'calm']
  return html`<span class=${`status ${tone} ${big ? 'big' : ''}`}><span aria-hidden="true">${sign}</span> ${words ?? of.replace(/_/g, ' ')}</span>`
}

/** @param {{at: string | number | null | undefined, children?: any}} props */
export function Time({ at, children }) {
  const ms = toMs(at)
  if (Number.isNaN(ms)) return html`<span class="soft">–</span>`
  return html`<time datetime=${iso(ms)} title=${iso(ms)}>${children ?? moment(ms)}</time>`
}

/** @param {{id: string, children?: any}} props */
export const Job = ({ id, children }) => html`<a class="id" href=${jobLink(id)}>${children ?? id}</a>`

/** The address of what is on the screen, with its times. */
export function fixedAddress() {
  const url = new URL(location.href)
  for (const [name, value] of Object.entries(moving.get() ?? {})) if (!url.searchParams.has(name)) url.searchParams.set(name, value)
  return `${url.origin}${url.pathname}${url.search ? `?${readable(url.searchParams)}` : ''}`
}

/** @param {string} text */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    // Without TLS, and not on this machine, a browser has no clipboard to offer.
    const area = document.createElement('textarea')
    area.value = text
    document.body.append(area)
    area.select()
    document.execCommand('copy')
    area.remove()
  }
}

/** @param {{text: string | (() => string), children?: any, label?: string}} props */
export function Copy({ text, children, label }) {
  const [done, setDone] = useState(false)
  useEffect(() => {
    if (!done) return
    const timer = setTimeout(() => setDone(false), 1500)
    return () => clearTimeout(timer)
  }, [done])
  const act = () => copyText(typeof text === 'string' ? text : text()).then(() => setDone(true))
  return html`<button type="button" class="quiet copy" aria-label=${children ? undefined : label} title=${label ?? 'copy'} onClick=${act}>
    ${done ? '✔ copied' : children ?? 'copy'}</button>`
}

/**
 * What is shown while there is no answer, and beside one that has grown old.
 * @param {{of: import('./ask.js').Asked, children: (data: any, answer: import('./ask.js').Answer) => any, what?: string, quiet?: boolean}} props
 */
export function Answered({ of, children, what = 'the answer', quiet = false }) {
  const { answer, error, loading, again } = of
  return html`
    ${error && error.kind !== 'network' && html`<div class="told bad" role="alert"><${Status} of="bad" words="It could not be answered" />
      <pre class="message">${error.message}</pre><button type="button" onClick=${again}>Ask again</button></div>`}
    ${answer && !quiet && html`<${Notes} notes=${answer.notes} />`}
    ${answer ? html`<div class=${loading ? 'is-old' : ''} aria-busy=${loading}>${children(answer.data, answer)}</div>`
      : !error || error.kind === 'network' ? html`<${Waiting} what=${what} />` : null}`
}

/** @param {{what: string}} props */
export function Waiting({ what }) {
  const reached = useStore(connection)
  return html`<p class="waiting" role="status"><span class="spin" aria-hidden="true"></span>
    ${reached === 'lost' ? `Waiting for the server, for ${what}` : `Asking for ${what}`} …</p>`
}

/** @param {{notes: string[]}} props */
export function Notes({ notes }) {
  const told = notes.map(note => note.replace(/^emp-events: /, '')).filter(Boolean)
  return told.length ? html`<ul class="notes">${told.map(note => html`<li>${note}</li>`)}</ul>` : null
}

/** @param {{children: any}} props */
export const Nothing = ({ children }) => html`<p class="nothing">${children}</p>`

/**
 * @param {{title: string, answers: string, range?: Range | null, children?: any}} props
 */
export function Head({ title, answers, range, children }) {
  useEffect(() => {
    document.title = `${title} · emp-events`
  }, [title])
  return html`<header class="head">
    <div><h1>${title}</h1><p class="soft">${answers}</p></div>
    <div class="tools">${children}${range && html`<${RangePicker} range=${range} />`}</div>
  </header>`
}

/** @typedef {{since: string, until: string, sinceMs: number, untilMs: number}} Range */

const SPANS = /** @type {[string, number][]} */ ([
  ['15m', 900_000], ['1h', 3_600_000], ['6h', 21_600_000], ['1d', 86_400_000], ['7d', 604_800_000], ['30d', 2_592_000_000],
])

/** The end of what there is to look at, a whole second. */
const end = () => (Math.floor(now() / 1000) + 1) * 1000

/** How often a range that ends now moves on. */
const MOVES_MS = 15_000

/** What an address without a time is about at this moment, for a link to it. */
export const moving = store(/** @type {Record<string, string> | null} */ (null))

/**
 * The range of time of the address. One without it gets the last hours, written out, so that the address can be passed on;
 * where `isMoving`, the range ends now until somebody picks another.
 * @param {number} span
 * @param {boolean} [isMoving]
 * @returns {Range}
 */
export function useRange(span, isMoving = false) {
  const { query } = useStore(route)
  const since = query.get('since')
  const until = query.get('until')
  const isGiven = since !== null && until !== null
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    if (!isMoving || isGiven) return
    const timer = setInterval(() => document.hidden || setTurn(old => old + 1), MOVES_MS)
    return () => clearInterval(timer)
  }, [isMoving, isGiven])
  const range = useMemo(() => {
    const untilMs = toMs(until) || end()
    const sinceMs = toMs(since) || untilMs - span
    return { since: iso(sinceMs), until: iso(untilMs), sinceMs, untilMs }
  }, [since, until, turn])
  useEffect(() => {
    moving.set(isMoving && !isGiven ? { since: range.since, until: range.until } : null)
    if (!isMoving && !isGiven) setQuery({ since: range.since, until: range.until }, { replace: true })
    return () => moving.set(null)
  }, [range, isGiven])
  return range
}

/** @param {{range: Range}} props */
function RangePicker({ range }) {
  const told = useStore(meta)
  const [open, setOpen] = useState(false)
  const box = useRef(/** @type {HTMLDivElement | null} */ (null))
  const pick = (/** @type {number} */ sinceMs, /** @type {number} */ untilMs) => {
    setQuery({ since: iso(sinceMs), until: iso(untilMs) })
    setOpen(false)
  }
  useEffect(() => {
    if (!open) return
    const away = (/** @type {Event} */ event) => {
      if (event.target instanceof Node && !box.current?.contains(event.target)) setOpen(false)
    }
    document.addEventListener('pointerdown', away)
    return () => document.removeEventListener('pointerdown', away)
  }, [open])
  const width = range.untilMs - range.sinceMs
  /** @param {SubmitEvent} event */
  const submit = event => {
    event.preventDefault()
    const given = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget))
    const [from, until] = ['since', 'until'].map(name => toMs(withZone(String(given.get(name)))))
    if (from < until) pick(from, until)
  }
  return html`<div class="range" ref=${box} onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Escape' && setOpen(false)}>
    <button type="button" class="quiet" aria-label="earlier" title="earlier" onClick=${() => pick(range.sinceMs - width, range.sinceMs)}>‹</button>
    <button type="button" aria-expanded=${open} onClick=${() => setOpen(!open)}>
      <span class="wide">${moment(range.sinceMs)} – ${moment(range.untilMs)} </span><strong>${duration(width)}</strong></button>
    <button type="button" class="quiet" aria-label="later" title="later" onClick=${() => pick(range.untilMs, range.untilMs + width)}>›</button>
    ${open && html`<div class="popup">
      <div class="spans">${SPANS.map(([name, ms]) => html`<button type="button" onClick=${() => pick(end() - ms, end())}>last ${name}</button>`)}
        ${told?.first_event_ms != null && html`<button type="button" onClick=${() => pick(told.first_event_ms, end())}>all there is</button>`}</div>
      <form onSubmit=${submit}>
        <label>from <input name="since" required value=${iso(range.sinceMs)} spellcheck="false" /></label>
        <label>until <input name="until" required value=${iso(range.untilMs)} spellcheck="false" /></label>
        <button type="submit">Show</button>
      </form></div>`}
  </div>`
}

/** A time without a zone is meant in UTC, as those that are shown in the field. @param {string} text */
const withZone = text => (/(z|[+-]\d\d:?\d\d)$/i.test(text.trim()) ? text.trim() : `${text.trim().replace(' ', 'T')}Z`)

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: any) => any} show
 * @property {(row: any) => number | string | null} [by] what it is sorted by
 * @property {boolean} [number]
 * @property {string} [hint]
 * @property {boolean} [wide] may break its text
 */

/**
 * A table that can be sorted. `open` is where Enter on a row leads.
 * @param {{columns: Column[], rows: any[], label: string, open?: (row: any) => string | null, most?: number}} props
 */
export function Table({ columns, rows, label, open, most = 200 }) {
  const [sorted, setSorted] = useState(/** @type {{at: number, down: boolean} | null} */ (null))
  const [all, setAll] = useState(false)
  const by = sorted && columns[sorted.at]?.by
  const shown = useMemo(() => (by ? sort(rows, by, /** @type {any} */ (sorted).down) : rows), [rows, sorted])
  const part = all ? shown : shown.slice(0, most)
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${label}><table>
    <thead><tr>${columns.map((column, at) => html`<th scope="col" class=${column.number ? 'number' : ''} title=${column.hint}
      aria-sort=${sorted?.at === at ? (sorted.down ? 'descending' : 'ascending') : undefined}>
      ${column.by ? html`<button type="button" class="sort" onClick=${() => setSorted({ at, down: sorted?.at === at ? !sorted.down : !!column.number })}>
        ${column.title}<span aria-hidden="true">${sorted?.at === at ? (sorted.down ? ' ↓' : ' ↑') : ''}</span></button>` : column.title}</th>`)}</tr></thead>
    <tbody>${part.map(row => html`<tr data-row tabindex="-1" onDblClick=${() => { const to = open?.(row); if (to) go(to) }}>
      ${columns.map(column => html`<td class=${`${column.number ? 'number' : ''} ${column.wide ? 'breaks' : ''}`}>${column.show(row)}</td>`)}</tr>`)}</tbody>
  </table>
  ${part.length < shown.length && html`<p><button type="button" onClick=${() => setAll(true)}>Show all ${shown.length.toLocaleString('en-US')} rows</button></p>`}</div>`
}

/**
 * @param {any[]} rows
 * @param {(row: any) => number | string | null} by
 * @param {boolean} down
 */
function sort(rows, by, down) {
  const turned = down ? -1 : 1
  return [...rows].sort((left, right) => {
    const [a, b] = [by(left), by(right)]
    // What is not known comes last, whichever way the rest goes.
    if (a == null || b == null) return a == null ? (b == null ? 0 : 1) : -1
    return a < b ? -turned : a > b ? turned : 0
  })
}

/** Moves the focus by so many rows among those of the view. @param {number} by */
export function moveRow(by) {
  const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('main [data-row]')])
  if (!rows.length) return
  const focused = document.activeElement
  const at = rows.findIndex(row => row === focused || row.contains(focused))
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, at + by))]
  next.focus()
  next.scrollIntoView({ block: 'nearest' })
}

/** Follows the first link of the row that has the focus. */
export function openRow() {
  const row = document.activeElement?.closest('[data-row]')
  const to = row?.querySelector('a, button')
  if (to instanceof HTMLElement) to.click()
}

/** @param {string} worker @param {Range | null} [range] */
export const workerLink = (worker, range) =>
  link('search', { 'worker-id': worker, since: range?.since, until: range?.until })

/**
 * Whom it lies with, as a link to what that one did.
 * @param {{of: {kind: string | null, id: string | null}, range?: Range | null}} props
 */
export function Culprit({ of, range }) {
  if (!of?.kind || !of.id) return html`<span class="soft">nobody in particular</span>`
  /** @type {Record<string, string>} */
  const filters = { worker: 'worker-id', service: 'service', machine: 'machine-id', user: 'user-id' }
  const name = html`<span class="soft">${of.kind}</span> `
  if (of.kind === 'job') return html`${name}<${Job} id=${of.id} />`
  const filter = filters[of.kind]
  const to = filter ? { [filter]: of.id } : { text: of.id }
  return html`${name}<a class="id" href=${link('search', { ...to, since: range?.since, until: range?.until })}>${of.id}</a>`
}
