// Changes: what is new, gone, more, less, slower or faster than before.
import { html } from '../html.js'
import { useAnswer } from '../ask.js'
import { link, route, setQuery } from '../route.js'
import { useStore } from '../store.js'
import { Answered, Head, Notes, Status, Time, useRange } from '../parts.js'
import { count, duration, figure, percent } from '../units.js'

export function View() {
  const { query } = useStore(route)
  const range = useRange(7_200_000)
  const against = query.get('against') ?? 'before'
  const found = useAnswer('changes', { since: range.since, until: range.until, against }, { main: true })
  return html`<${Head} title="Changes" answers="What is new, gone, more, less, slower or faster" range=${range}>
      <label class="soft">than <select value=${against} onChange=${(/** @type {any} */ event) => setQuery({ against: event.target.value })}>
        ${[['before', 'right before'], ['1d', 'a day earlier'], ['7d', 'a week earlier'], ['28d', 'four weeks earlier']].map(([value, words]) => html`<option value=${value}>${words}</option>`)}
        ${!['before', '1d', '7d', '28d'].includes(against) && html`<option value=${against}>${against}</option>`}</select></label><//>
    <${Answered} of=${found} what="what changed" children=${(/** @type {any} */ data) => html`<${Told} data=${data} range=${range} />`} />`
}

/** @param {{data: any, range: import('../parts.js').Range}} props */
function Told({ data, range }) {
  return html`<dl class="figures slim">
      <div><dt>now</dt><dd><${Time} at=${data.after[0]} /> <small>${duration(data.after_hours * 3_600_000)}, ${count(data.after_events)} events</small></dd></div>
      <div><dt>compared with</dt><dd><${Time} at=${data.before[0]} /> <small>${duration(data.before_hours * 3_600_000)}, ${count(data.before_events)} events</small></dd></div>
      ${data.jobs && html`<div><dt>jobs an hour</dt><dd>${figure(data.jobs.after_per_hour)} <small>before ${figure(data.jobs.before_per_hour)}</small></dd></div>`}
      <div><dt>tests</dt><dd>${count(data.tests)} <small>false: one in ${Math.round(1 / data.q_max)} at most</small></dd></div></dl>
    <${Notes} notes=${data.notes} />
    ${data.changes.length ? html`<ul class="findings big">${data.changes.map((/** @type {any} */ one) => html`<${Change} one=${one} range=${range} />`)}</ul>` : html`<p class="clean">✔ Nothing has changed that is more than chance.</p>`}`
}

/** @param {{one: any, range: import('../parts.js').Range}} props */
function Change({ one, range }) {
  const to = one.kind === 'event_type' || one.kind === 'latency' || one.kind === 'error_share' ? { 'event-type': one.what } : one.kind === 'worker' || one.kind === 'worker_speed' ? { 'worker-id': one.what } : one.kind === 'service' ? { service: one.what } : one.kind === 'machine' ? { 'machine-id': one.what } : { text: one.what }
  return html`<li data-row tabindex="-1"><div class="line"><${Status} of=${one.change} /> <span class="soft">${one.kind.replace(/_/g, ' ')}</span> <strong>${one.words}</strong></div>
    <div class="soft">${numbers(one)} · ${one.test.replace(/_/g, ' ')}, q = ${one.q_value < 0.001 ? one.q_value.toExponential(0) : figure(one.q_value)} · <a href=${link('search', { ...to, since: range.since, until: range.until })}>the events</a></div>
    ${one.implies.length > 0 && html`<details><summary>with it, ${count(one.implies.length)} more</summary><ul class="plain">${one.implies.map((/** @type {any} */ other) => html`<li><${Status} of=${other.change} /> ${other.words}</li>`)}</ul></details>`}</li>`
}

/** @param {any} one */
function numbers(one) {
  if (one.before_p50_ms != null && one.after_p50_ms != null) return `half take ${duration(one.before_p50_ms)} → ${duration(one.after_p50_ms)}${one.factor ? `, ×${figure(one.factor)}` : ''}`
  if (one.before_of != null && one.after_of) return `${count(one.before_count)} of ${count(one.before_of)}, ${percent(one.before_count / one.before_of)} → ${count(one.after_count)} of ${count(one.after_of)}, ${percent(one.after_count / one.after_of)}`
  return `${count(one.before_count)} → ${count(one.after_count)}${one.after_per_hour != null ? `, ${figure(one.before_per_hour)} → ${figure(one.after_per_hour)} an hour` : ''}`
}
