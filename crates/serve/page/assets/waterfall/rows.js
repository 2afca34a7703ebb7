// What a time line becomes in a waterfall: spans, waits and gaps as bars of their own, repeats as one row.
import { toMs } from '../units.js'

/**
 * @typedef {object} Row
 * @property {string} key
 * @property {'span' | 'gap' | 'wait' | 'event' | 'repeat'} kind
 * @property {string} name
 * @property {string} service
 * @property {number} from
 * @property {number} until
 * @property {boolean} isOpen it has not ended
 * @property {boolean} hasFailed
 * @property {number | null} typical milliseconds that half of such take at most
 * @property {number | null} [rarely] milliseconds that 99 of 100 of such take at most
 * @property {number | null} often times as long as typical
 * @property {number[]} events places of its events in the time line
 * @property {number} depth
 * @property {[from: number, until: number, hasFailed: boolean][]} [pieces] what a repeat is drawn of
 */

/** Same events in a row from this number on are one row. */
const REPEATS = 3
/** Spans of one name from this number on are one row: fewer are the attempts of a job, which are looked at one by one. */
const SPANS_MAX = 12
/** From so many rows on, same events are one row wherever they happened. */
const ROWS_MAX = 400

/**
 * @param {any} line the answer of `timeline`
 * @param {Set<string>} opened keys of the repeats that are shown one by one
 * @returns {{rows: Row[], times: number[]}}
 */
export function rowsOf(line, opened) {
  const times = line.events.map((/** @type {any} */ event) => toMs(event.happened_at ?? event.timestamp))
  const end = toMs(line.until)
  const typical = typicalOf(line.budget ?? [])
  /** @type {Set<number>} */
  const taken = new Set()
  const bars = [...together(spans(line, times, end, typical, taken), opened), ...gaps(line, end), ...waits(line, times, typical)]
  const rest = line.events.map((/** @type {any} */ _, /** @type {number} */ at) => at).filter((/** @type {number} */ at) => !taken.has(at))
  let marks = runs(line, times, rest, opened)
  if (marks.length > ROWS_MAX) marks = lanes(line, times, rest, opened)
  const order = { span: 0, event: 1, repeat: 1, gap: 2, wait: 2 }
  const rows = [...bars, ...marks].sort((a, b) => a.from - b.from || order[a.kind] - order[b.kind])
  return { rows, times }
}

/** @typedef {Map<string, {typical: number, rarely: number | null}>} Typical */

/** @param {any[]} budget @returns {Typical} */
function typicalOf(budget) {
  return new Map(budget.filter(part => part.typical_ms != null).map(part => [part.part, { typical: part.typical_ms, rarely: part.typical_p99_ms }]))
}

/**
 * @param {any} line @param {number[]} times @param {number} end @param {Typical} typical @param {Set<number>} taken
 * @returns {Row[]}
 */
function spans(line, times, end, typical, taken) {
  let begin = 0
  return line.spans.map((/** @type {any} */ span, /** @type {number} */ at) => {
    const from = toMs(span.from)
    const until = span.until == null ? end : toMs(span.until)
    /** @type {number[]} */
    const events = []
    while (begin < times.length && times[begin] < from) begin += 1
    for (let place = begin; place < times.length && times[place] <= until; place += 1) {
      const event = line.events[place]
      const isEdge = event.event_type.startsWith(span.name) && (times[place] === from || times[place] === until)
      if (!isEdge || event.service !== span.service) continue
      events.push(place)
      taken.add(place)
    }
    const attempt = line.attempts > 1 && span.attempt > 0 ? `, attempt ${span.attempt}` : ''
    const usual = span.typical_ms != null ? { typical: span.typical_ms, rarely: span.typical_p99_ms } : typical.get(span.name)
    return {
      key: `span-${at}`, kind: 'span', name: `${span.name}${attempt}`, service: span.service, from, until, isOpen: span.until == null,
      hasFailed: span.has_failed, typical: usual?.typical ?? null, rarely: usual?.rarely, often: usual?.typical ? (until - from) / usual.typical : null, events, depth: 0,
    }
  })
}

/**
 * Many spans of one name, as one row.
 * @param {Row[]} all @param {Set<string>} opened
 * @returns {Row[]}
 */
function together(all, opened) {
  /** @type {Map<string, Row[]>} */
  const byName = new Map()
  for (const row of all) {
    const name = `${row.service}/${row.name.replace(/, attempt .*/, '')}`
    const same = byName.get(name)
    if (same) same.push(row)
    else byName.set(name, [row])
  }
  return [...byName].flatMap(([name, rows]) => {
    if (rows.length <= SPANS_MAX) return rows
    const key = `spans-${name}`
    const whole = {
      ...rows[0], key, kind: /** @type {const} */ ('repeat'), name: rows[0].name.replace(/, attempt .*/, ''), until: rows.reduce((last, row) => Math.max(last, row.until), 0),
      hasFailed: rows.some(row => row.hasFailed), typical: null, often: null, events: rows.flatMap(row => row.events),
      pieces: rows.map(row => /** @type {[number, number, boolean]} */ ([row.from, row.until, row.hasFailed])),
    }
    return opened.has(key) ? [whole, ...rows.map(row => ({ ...row, depth: 1 }))] : [whole]
  })
}

/** @param {any} line @param {number} end @returns {Row[]} */
function gaps(line, end) {
  const places = new Map(line.events.map((/** @type {any} */ event, /** @type {number} */ at) => [event.id, at]))
  return line.gaps.map((/** @type {any} */ gap, /** @type {number} */ at) => ({
    key: `gap-${at}`, kind: 'gap', name: gap.kind.replace(/-/g, ' '), service: '', from: toMs(gap.from),
    until: gap.until == null ? end : toMs(gap.until), isOpen: gap.before_id == null, hasFailed: false,
    typical: gap.times_typical ? gap.duration_ms / gap.times_typical : null, rarely: gap.typical_p99_ms, often: gap.times_typical,
    events: [gap.after_id, gap.before_id].map(id => places.get(id)).filter(place => place !== undefined), depth: 0,
  }))
}

/**
 * What passed between two services, where that is no gap that is drawn anyway.
 * @param {any} line @param {number[]} times @param {Typical} typical
 * @returns {Row[]}
 */
function waits(line, times, typical) {
  const drawn = new Set(line.gaps.map((/** @type {any} */ gap) => gap.after_id))
  /** @type {Row[]} */
  const found = []
  for (let at = 1; at < line.events.length; at += 1) {
    const [before, after] = [line.events[at - 1], line.events[at]]
    const isHandoff = before.service !== after.service
    if (!isHandoff || drawn.has(before.id) || times[at] <= times[at - 1]) continue
    const isClaim = /claimed|started/.test(after.event_type) && /queued|created|submitted/.test(before.event_type)
    const usual = typical.get(isClaim ? 'queue wait' : `${before.event_type} → ${after.event_type}`)
    const took = times[at] - times[at - 1]
    found.push({
      key: `wait-${at}`, kind: 'wait', name: isClaim ? 'queue wait' : `${before.service} → ${after.service}`, service: '', from: times[at - 1],
      until: times[at], isOpen: false, hasFailed: false, typical: usual?.typical ?? null, rarely: usual?.rarely, often: usual?.typical ? took / usual.typical : null, events: [at - 1, at], depth: 0,
    })
  }
  // A job with thousands of them says it by its gaps.
  return found.length > 200 ? found.sort((a, b) => b.until - b.from - a.until + a.from).slice(0, 200) : found
}

/**
 * @param {any} line @param {number[]} times @param {number[]} places
 * @param {string} key @param {Set<string>} opened
 * @returns {Row[]}
 */
function mark(line, times, places, key, opened) {
  const first = line.events[places[0]]
  const single = (/** @type {number} */ at, /** @type {number} */ depth) => ({
    key: `event-${at}`, kind: /** @type {const} */ ('event'), name: line.events[at].event_type, service: line.events[at].service, from: times[at],
    until: times[at], isOpen: false, hasFailed: line.events[at].level === 'error', typical: null, often: null, events: [at], depth,
  })
  if (places.length < REPEATS) return places.map(at => single(at, 0))
  const whole = {
    key, kind: /** @type {const} */ ('repeat'), name: first.event_type, service: first.service, from: times[places[0]],
    until: times[places[places.length - 1]], isOpen: false, hasFailed: places.some(at => line.events[at].level === 'error'),
    typical: null, often: null, events: places, depth: 0,
    pieces: places.map(at => /** @type {[number, number, boolean]} */ ([times[at], times[at], line.events[at].level === 'error'])),
  }
  return opened.has(key) ? [whole, ...places.map(at => single(at, 1))] : [whole]
}

/** @param {any} line @param {number[]} times @param {number[]} places @param {Set<string>} opened */
function runs(line, times, places, opened) {
  /** @type {Row[]} */
  const rows = []
  const alike = (/** @type {number} */ a, /** @type {number} */ b) =>
    line.events[a].event_type === line.events[b].event_type && line.events[a].service === line.events[b].service
  for (let at = 0; at < places.length; ) {
    let next = at + 1
    while (next < places.length && alike(places[at], places[next])) next += 1
    rows.push(...mark(line, times, places.slice(at, next), `run-${places[at]}`, opened))
    at = next
  }
  return rows
}

/** @param {any} line @param {number[]} times @param {number[]} places @param {Set<string>} opened */
function lanes(line, times, places, opened) {
  /** @type {Map<string, number[]>} */
  const byType = new Map()
  for (const at of places) {
    const name = `${line.events[at].service}/${line.events[at].event_type}`
    const lane = byType.get(name)
    if (lane) lane.push(at)
    else byType.set(name, [at])
  }
  return [...byType].flatMap(([name, lane]) => mark(line, times, lane, `lane-${name}`, opened))
}
