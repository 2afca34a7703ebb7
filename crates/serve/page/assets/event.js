// One event: as a row of a list, and as a whole.
import { html } from './html.js'
import { link } from './route.js'
import { Copy, Job, Status, Time } from './parts.js'
import { clock, duration, moment, toMs } from './units.js'

/** @typedef {Record<string, any>} Event */

/** More of a text than fits on any screen is not put on one line of a list: there are events of a megabyte. */
const SHOWN = 400

/** What an event says, on one line. @param {Event} event */
export function summary(event) {
  const data = event.data
  if (data == null) return ''
  if (typeof data !== 'object') return String(data).slice(0, SHOWN)
  const texts = Object.entries(data).slice(0, 50).map(([key, value]) => `${key}=${(typeof value === 'string' ? value : JSON.stringify(value) ?? '').slice(0, SHOWN)}`)
  return texts.join(' ').slice(0, SHOWN)
}

export const eventColumns = [
  { title: 'time', name: 'time' }, { title: 'level', name: 'level' }, { title: 'service', name: 'service' },
  { title: 'event', name: 'type' }, { title: 'job', name: 'job' }, { title: 'took', name: 'took number' }, { title: 'data', name: 'data' },
]

/** @param {Event} event */
export const eventCells = event => [
  html`<time datetime=${event.timestamp}>${moment(event.timestamp).slice(5)}.${clock(event.timestamp).slice(-3)}</time>`,
  html`<${Status} of=${event.level} />`, event.service, event.event_type, event.job_id ?? '',
  event.duration_ms == null ? '' : duration(event.duration_ms), summary(event),
]

/** @param {Event} event */
export const eventTone = event => (event.level === 'error' ? 'is-error' : event.level === 'warn' ? 'is-warn' : '')

const FILTERS = /** @type {[column: string, option: string][]} */ ([
  ['service', 'service'], ['event_type', 'event-type'], ['worker_id', 'worker-id'], ['machine_id', 'machine-id'], ['user_id', 'user-id'],
])

/**
 * All that is known of an event.
 * @param {{event: Event, range?: import('./parts.js').Range | null, close?: () => void}} props
 */
export function EventDetail({ event, range, close }) {
  const around = range ?? { since: new Date(toMs(event.timestamp) - 1_800_000).toISOString(), until: new Date(toMs(event.timestamp) + 1_800_000).toISOString() }
  const delay = toMs(event.ingested_at) - toMs(event.timestamp)
  return html`<article class="detail">
    <header><${Status} of=${event.level} /> <strong>${event.event_type}</strong><span class="grow"></span>
      <${Copy} text=${JSON.stringify(event, null, 2)} label="Copy the event as JSON">copy JSON<//>
      ${close && html`<button type="button" class="quiet" aria-label="Close the event" onClick=${close}>✕</button>`}</header>
    <dl>
      <dt>happened</dt><dd><${Time} at=${event.timestamp}>${moment(event.timestamp)}.${clock(event.timestamp).slice(-3)}<//>
        ${Number.isFinite(delay) && html`<span class="soft"> in Redis ${Math.abs(delay) < 1 ? 'at once' : delay > 0 ? `${duration(delay)} later` : `${duration(-delay)} before: that clock is ahead`}</span>`}</dd>
      <dt>entry</dt><dd class="id">${event.id} <${Copy} text=${event.id} label="Copy the entry's id" /></dd>
      ${event.job_id && html`<dt>job</dt><dd><${Job} id=${event.job_id} /></dd>`}
      ${event.trace_id && html`<dt>trace</dt><dd><a class="id" href=${link(`trace/${encodeURIComponent(event.trace_id)}`)}>${event.trace_id}</a></dd>`}
      ${FILTERS.filter(([column]) => event[column]).map(([column, option]) => html`<dt>${column.replace('_id', '').replace('event_', '')}</dt>
        <dd><a class="id" href=${link('search', { [option]: event[column], since: around.since, until: around.until })}>${event[column]}</a></dd>`)}
      ${event.duration_ms != null && html`<dt>took</dt><dd>${duration(event.duration_ms)}</dd>`}
    </dl>
    <pre tabindex="0" aria-label="data">${typeof event.data === 'string' ? event.data : JSON.stringify(event.data, null, 2)}</pre>
  </article>`
}
