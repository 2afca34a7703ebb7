// A job: what is wrong with it and who is to blame, above what happened, event by event.
import { html, useEffect, useMemo, useRef, useState } from '../html.js'
import { useAnswer } from '../ask.js'
import { route, setQuery } from '../route.js'
import { store, useStore } from '../store.js'
import { useKeys } from '../keys.js'
import { Answered, Copy, Culprit, Job, Notes, Nothing, Status, Table, Time, meta } from '../parts.js'
import { clock, count, duration, figure, moment, percent, some, toMs } from '../units.js'
import { EventDetail, eventTone, summary } from '../event.js'
import { List } from '../list.js'
import { Waterfall } from '../waterfall/view.js'

/** @param {{id: string, view: string}} props */
export function View({ id, view }) {
  const { query } = useStore(route)
  const told = useStore(meta)
  const isTrace = view === 'trace'
  const as = { now: query.get('now') }
  const line = useAnswer('timeline', isTrace ? { trace: id, ...as } : { job: id, ...as }, { main: true })
  const verdict = useAnswer(isTrace ? null : 'diagnose', { job: id, ...as })
  const compare = query.get('compare')
  useEffect(() => { document.title = `${id} · emp-events` }, [id])
  useKeys({
    d: () => focus('verdict'), t: () => focus('bars'), e: () => focus('list'),
    r: () => { line.again(); verdict.again() },
  })
  // A job that goes on is looked at again.
  const isGoingOn = told?.live && line.answer && !line.answer.data.has_ended && !isTrace
  useEffect(() => {
    if (!isGoingOn || document.hidden) return
    const timer = setTimeout(() => { line.again(); verdict.again() }, 5000)
    return () => clearTimeout(timer)
  }, [line.answer])
  return html`
    <header class="head job-head"><div><p class="soft">${isTrace ? 'trace' : 'job'} ${line.answer?.data.job_type && html`· ${line.answer.data.job_type}`}</p>
      <h1><span class="id">${id}</span> <${Copy} text=${id} label="Copy the id" /></h1></div>
      <div class="tools">${!isTrace && line.answer && html`<${CompareForm} id=${id} compare=${compare} />`}</div></header>
    ${!isTrace && html`<${Answered} of=${verdict} what="the verdict" children=${(/** @type {any} */ data) => html`<${Verdict} found=${data} />`} />`}
    ${!isTrace && verdict.answer && html`<${Around} id=${id} now=${as.now} />`}
    ${compare && html`<${Comparison} id=${id} other=${compare} />`}
    <${Answered} of=${line} what="what happened" children=${(/** @type {any} */ data) => html`<${Line} line=${data} />`} />`
}

const EVIDENCE_MAX = 3

/** The event that somebody wants to see. */
const pointed = store(/** @type {{id: string} | null} */ (null))

/** @param {string} name */
const focus = name => /** @type {HTMLElement | null} */ (document.querySelector(`main .${name}`))?.focus()

/** @param {{found: any}} props */
function Verdict({ found }) {
  const range = found.last_event && { since: new Date(toMs(found.since ?? found.last_event.timestamp) - 600_000).toISOString(), until: new Date(toMs(found.last_event.timestamp) + 600_000).toISOString() }
  return html`<section class="verdict" tabindex="-1" aria-label="Verdict">
    <div class="sentence"><${Status} of=${found.verdict} big /><p class="reason">${found.reason}</p></div>
    <dl class="facts">
      <div><dt>to blame</dt><dd><${Culprit} of=${found.culprit} range=${range} /></dd></div>
      <div><dt>certainty</dt><dd><${Certainty} of=${found.confidence} /></dd></div>
      <div><dt>since</dt><dd><${Time} at=${found.since} /></dd></div>
      <div><dt>last event</dt><dd>${found.last_event ? html`${found.last_event.event_type} <span class="soft"><${Time} at=${found.last_event.timestamp} /></span>` : '–'}</dd></div>
      <div><dt>same cause</dt><dd>${found.same_cause.jobs ? html`${some(found.same_cause.jobs, 'other job')} ${found.same_cause.examples.slice(0, 2).map((/** @type {string} */ id) => html`<${Job} id=${id} /> `)}` : 'no other job'}</dd></div>
    </dl>
    <div class="grounds">
      <div><h2>Evidence</h2><${Evidence} events=${found.evidence} /></div>
      <div><h2>Ruled out</h2>${found.ruled_out.length ? html`<ul class="plain">${found.ruled_out.map((/** @type {string} */ one) => html`<li><span class="soft" aria-hidden="true">–</span> ${one}</li>`)}</ul>` : html`<${Nothing}>Nothing had to be.<//>`}
        ${!found.completeness.complete && html`<p class="warn">▲ Not all events are here:</p>`}<${Notes} notes=${found.completeness.notes} /></div>
      <div><h2>Where its time went</h2><${Budget} parts=${found.budget} /></div>
    </div>
    ${found.next.length > 0 && html`<details class="next"><summary>At a shell, to go on</summary><ul class="plain">${found.next.map((/** @type {string} */ one) => html`<li><code>${one}</code> <${Copy} text=${one} label="Copy the command line" /></li>`)}</ul></details>`}
  </section>`
}

/** What it is told by; the first few, so that the waterfall stays in sight. @param {{events: any[]}} props */
function Evidence({ events }) {
  const [all, setAll] = useState(false)
  if (!events.length) return html`<${Nothing}>None is needed.<//>`
  const isLong = events.length > EVIDENCE_MAX + 1
  const shown = all || !isLong ? events : events.slice(0, EVIDENCE_MAX)
  return html`<ol class="evidence">${shown.map(one => html`<li>
      <${Time} at=${one.timestamp}>${clock(one.timestamp)}<//> <button type="button" class="as-link" title="Show the event" onClick=${() => pointed.set({ id: one.id })}>${one.event_type}</button><br /><span class="soft">${one.note}</span></li>`)}</ol>
    ${isLong && html`<button type="button" class="quiet" aria-expanded=${all} onClick=${() => setAll(!all)}>${all ? 'fewer' : `${count(events.length - EVIDENCE_MAX)} more`}</button>`}`
}

/** @param {{of: string}} props */
function Certainty({ of }) {
  const dots = { proven: 3, likely: 2, guess: 1 }[of] ?? 0
  return html`<span aria-hidden="true">${'●'.repeat(dots)}<span class="soft">${'○'.repeat(3 - dots)}</span></span> ${of}`
}

/** @param {{parts: any[]}} props */
function Budget({ parts }) {
  if (!parts.length) return html`<${Nothing}>It has no events with time between them.<//>`
  const most = Math.max(...parts.map(part => Math.max(part.ms, part.typical_ms ?? 0)), 1)
  const shown = [...parts].sort((a, b) => b.ms - a.ms).slice(0, 6)
  return html`<table class="budget"><thead><tr><th scope="col">part</th><th scope="col" aria-label="took, beside typical"></th><th scope="col" class="number">took</th><th scope="col" class="number">typical</th></tr></thead><tbody>${shown.map(part => {
    const often = part.typical_ms ? part.ms / part.typical_ms : null
    return html`<tr><th scope="row" title=${`${part.part}, ${part.service}`}>${part.part}</th>
      <td class="meter"><i class=${often && often >= 3 ? 'is-long' : ''} style=${{ width: `${(part.ms / most) * 100}%` }}></i>${part.typical_ms != null && html`<b style=${{ left: `${(part.typical_ms / most) * 100}%` }}></b>`}</td>
      <td class="number" title=${`${percent(part.share)} of its time`}>${duration(part.ms)}</td>
      <td class="number soft">${part.typical_ms == null ? '–' : duration(part.typical_ms)}</td></tr>`
  })}</tbody></table>${parts.length > shown.length && html`<p class="soft">and ${some(parts.length - shown.length, 'shorter part')}</p>`}`
}

/** What else happened around it; asked when somebody opens it. @param {{id: string, now: string | null}} props */
function Around({ id, now }) {
  const [open, setOpen] = useState(false)
  const found = useAnswer(open ? 'correlate' : null, { job: id, now })
  const others = (/** @type {any[]} */ jobs) => html`<ul class="plain">${jobs.slice(0, 20).map(one => html`<li><${Job} id=${one.job_id} /> <span class="soft">${some(one.events, 'event')}${one.errors ? `, ${some(one.errors, 'error')}` : ''}, last ${one.last_event}</span></li>`)}</ul>`
  const told = (/** @type {any[]} */ events) => html`<ul class="plain">${events.slice(0, 20).map(one => html`<li><${Time} at=${one.timestamp}>${clock(one.timestamp)}<//> ${one.event_type} <span class="soft">${one.note}</span></li>`)}</ul>`
  return html`<details class="around" onToggle=${(/** @type {any} */ event) => setOpen(event.currentTarget.open)}><summary>What else happened: in its trace, on its worker, with its error</summary>
    ${open && html`<${Answered} of=${found} what="what else happened" children=${(/** @type {any} */ data) => html`<div class="grounds">
      <div><h2>In its trace</h2>${data.trace.length ? told(data.trace) : html`<${Nothing}>Nothing beside its own events.<//>`}</div>
      <div><h2>On its worker</h2>${data.same_worker ? html`<p class="id">${data.same_worker.worker_id}</p>${others(data.same_worker.jobs)}${told(data.same_worker.events)}` : html`<${Nothing}>No worker had it.<//>`}</div>
      <div><h2>With its error</h2>${data.same_error ? html`<p class="id">${data.same_error.error}</p>${others(data.same_error.jobs)}` : html`<${Nothing}>It has none, or no other job has it.<//>`}</div></div>`} />`}</details>`
}

/** @param {{line: any}} props */
function Line({ line }) {
  const [chosen, setChosen] = useState(/** @type {{name: string, events: number[]} | null} */ (null))
  const [selected, setSelected] = useState(-1)
  const rows = useMemo(() => line.events, [line])
  const first = rows.length ? toMs(rows[0].happened_at) : 0
  const wanted = useStore(pointed)
  useEffect(() => {
    const at = wanted ? rows.findIndex((/** @type {any} */ row) => row.id === wanted.id) : -1
    if (at < 0) return
    setSelected(at)
    setChosen({ name: rows[at].event_type, events: [at] })
    document.querySelector('.waterfall')?.scrollIntoView({ block: 'nearest' })
  }, [wanted])
  return html`
    <dl class="figures slim"><div><dt>from</dt><dd><${Time} at=${line.from} /></dd></div><div><dt>took</dt><dd>${duration(line.duration_ms)}${line.has_ended ? '' : html` <small>so far</small>`}</dd></div>
      <div><dt>events</dt><dd>${count(rows.length)}</dd></div><div><dt>errors</dt><dd class=${line.errors ? 'bad' : ''}>${count(line.errors)}</dd></div>
      <div><dt>attempts</dt><dd class=${line.attempts > 1 ? 'warn' : ''}>${count(line.attempts)}</dd></div><div><dt>unusual silences</dt><dd class=${line.gaps.length ? 'warn' : ''}>${count(line.gaps.length)}</dd></div></dl>
    <${Notes} notes=${line.notes} />
    ${rows.length === 0 ? html`<${Nothing}>It has no events.<//>` : html`
    <div class=${chosen ? 'split has-detail' : 'split'}>
      <${Waterfall} line=${line} show=${(/** @type {number[]} */ events, /** @type {any} */ row) => { setChosen({ name: row.name, events }); setSelected(events[0] ?? -1) }} />
      ${chosen && html`<aside class="raw" aria-label="Raw events"><header><strong>${chosen.name}</strong> <span class="soft">${some(chosen.events.length, 'event')}</span><span class="grow"></span>
        <button type="button" class="quiet" aria-label="Close" onClick=${() => setChosen(null)}>✕</button></header>
        ${chosen.events.slice(0, 20).map(at => html`<${EventDetail} key=${rows[at].id} event=${rows[at]} />`)}
        ${chosen.events.length > 20 && html`<p class="soft">${count(chosen.events.length - 20)} more are in the list below.</p>`}</aside>`}
    </div>
    <h2 class="above-list">Events <span class="soft">${count(rows.length)}</span></h2>
    <${List} kind="of-job" rows=${rows} label="Events of the job" selected=${selected} select=${(/** @type {number} */ at) => { setSelected(at); setChosen({ name: rows[at].event_type, events: [at] }) }} tone=${eventTone}
      columns=${[{ title: 'time', name: 'time' }, { title: 'since before', name: 'delta number' }, { title: 'level', name: 'level' }, { title: 'service', name: 'service' }, { title: 'event', name: 'type' }, { title: 'took', name: 'took number' }, { title: 'data', name: 'data' }]}
      cells=${(/** @type {any} */ event) => [html`<span title=${`+${duration(toMs(event.happened_at) - first)}, ${event.happened_at}`}>${moment(event.happened_at).slice(5, 11)}${clock(event.happened_at)}</span>`,
        html`<span class=${event.is_gap ? 'warn' : ''}>${event.delta_ms == null ? '' : `+${duration(event.delta_ms)}`}</span>`, html`<${Status} of=${event.level} />`, event.service, event.event_type,
        event.duration_ms == null ? '' : duration(event.duration_ms), summary(event)]} />`}`
}

/** @param {{id: string, compare: string | null}} props */
function CompareForm({ id, compare }) {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null))
  return html`<form class="compare" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); setQuery({ compare: field.current?.value.trim() || null }) }}>
    <input ref=${field} aria-label=${`A job to compare ${id} with`} placeholder="compare with job" value=${compare && compare !== 'typical' ? compare : ''} spellcheck="false" size="18" />
    <button type="button" aria-pressed=${compare === 'typical'} onClick=${() => setQuery({ compare: compare === 'typical' ? null : 'typical' })}>with typical</button></form>`
}

/** @param {{id: string, other: string}} props */
function Comparison({ id, other }) {
  const answered = useAnswer('timeline', { job: id, compare: other })
  return html`<section class="comparison" aria-label="Comparison"><h2>Beside ${other === 'typical' ? 'what is typical of its kind' : html`<${Job} id=${other} />`}
      <button type="button" class="quiet" onClick=${() => setQuery({ compare: null })}>✕ close</button></h2>
    <${Answered} of=${answered} what="the comparison" children=${(/** @type {any[]} */ rows) => html`<${Table} label="Step by step" rows=${rows} columns=${[
      { title: 'event', show: (/** @type {any} */ row) => row.event_type },
      { title: 'here, at', number: true, show: (/** @type {any} */ row) => at(row.left_at_ms) }, { title: other === 'typical' ? 'typical, at' : 'other, at', number: true, show: (/** @type {any} */ row) => at(row.right_at_ms) },
      { title: 'step here', number: true, show: (/** @type {any} */ row) => step(row.left_step_ms) }, { title: 'step there', number: true, show: (/** @type {any} */ row) => step(row.right_step_ms) },
      { title: 'difference', number: true, show: difference },
    ]} />`} /></section>`
}

/** @param {number | null} ms */
const at = ms => (ms == null ? html`<span class="warn">missing</span>` : `+${duration(ms)}`)
/** @param {number | null} ms */
const step = ms => (ms == null ? '' : duration(ms))

/** @param {any} row */
function difference(row) {
  if (row.left_step_ms == null || row.right_step_ms == null) return ''
  const ms = row.left_step_ms - row.right_step_ms
  const often = row.right_step_ms ? row.left_step_ms / row.right_step_ms : null
  return html`<span class=${often && often >= 3 ? 'bad' : ''}>${ms > 0 ? '+' : ''}${duration(ms)}${often && often >= 1.5 ? ` ×${figure(often)}` : ''}</span>`
}

