// Needs a look: which jobs are not well, by what they have in common, and what else is unusual.
import { html, useEffect, useMemo, useRef, useState } from '../html.js'
import { useAnswer } from '../ask.js'
import { jobLink, link, route, setQuery } from '../route.js'
import { useStore } from '../store.js'
import { useKeys } from '../keys.js'
import { newest, useLive } from '../live.js'
import { Answered, Culprit, Head, Job, Notes, Nothing, Status, Time, meta, moving, now } from '../parts.js'
import { ago, count, duration, figure, iso, moment, percent, some, toMs } from '../units.js'
import { drawBars } from '../sparkline.js'

/** Of a group with more: they have one cause, and all causes are to be seen at once. */
const SHOWN = 2

export function View() {
  const told = useStore(meta)
  const { query } = useStore(route)
  const held = query.get('now')
  const isLive = !!told?.live && !held
  const as = held ? { now: held } : {}
  const every = isLive ? 5000 : undefined
  const pushed = useLive('needs-a-look', isLive)
  const look = newest(useAnswer('needs-a-look', as, { every: isLive ? 10_000 : undefined, main: true }), pushed)
  // The verdicts first: what costs more is asked once they are there.
  const isTold = !!look.answer || !!look.error
  const alerts = useAnswer(isTold ? 'anomalies' : null, as, { every: isLive ? 15_000 : undefined })
  const changed = useAnswer(isTold ? 'changes' : null, as, { every: isLive ? 60_000 : undefined })
  useEffect(() => {
    moving.set(isLive && look.answer ? { now: look.answer.data.until } : null)
    return () => moving.set(null)
  }, [look.answer, isLive])
  const hold = () => setQuery({ now: held ? null : iso(now()) })
  useKeys({ ' ': hold, p: hold, r: () => { look.again(); alerts.again(); changed.again() } })
  const window = look.answer?.data
  return html`
    <${Head} title="Needs a look" answers=${window ? `Jobs and alerts from ${moment(window.since)} until ${moment(window.until)}` : 'Which jobs are not well, and why'}>
      ${told?.live && html`<button type="button" aria-pressed=${!!held} onClick=${hold}>${held ? 'Go on live' : 'Hold'}</button>`}
    <//>
    <${Answered} of=${look} what="the verdicts on all jobs" children=${(/** @type {any} */ data) => html`
      <${Figures} look=${data} alerts=${alerts.answer?.data} changes=${changed.answer?.data} every=${every} />
      <div class="columns">
        <section aria-label="Jobs by cause"><${Groups} look=${data} /></section>
        <aside>
          <${Alerts} of=${alerts} />
          <${Changes} of=${changed} />
          <${Workers} workers=${data.workers} />
          <${Missing} steps=${data.missing_steps} />
          <${Notes} notes=${data.notes} />
        </aside>
      </div>`} />`
}

/** @param {{look: any, alerts: any[] | undefined, changes: any, every: number | undefined}} props */
function Figures({ look, alerts, changes, every }) {
  const span = toMs(look.until) - toMs(look.since)
  const loud = alerts?.filter(one => one.severity === 'alert').length
  const share = look.jobs ? look.unhealthy.length / look.jobs : null
  return html`<dl class="figures">
    <div><dt>need a look</dt><dd class=${look.unhealthy.length ? 'bad' : 'good'}>${count(look.unhealthy.length)} <small>of ${some(look.jobs, 'job')}${share != null && look.unhealthy.length ? `, ${percent(share)}` : ''}</small></dd></div>
    <div><dt>causes</dt><dd>${count(look.groups.length)}</dd></div>
    <div><dt>alerts</dt><dd class=${loud ? 'bad' : ''}>${count(loud)}</dd></div>
    <div><dt>changes</dt><dd>${count(changes?.changes.length)} <small>${changes ? `in ${duration(changes.after_hours * 3_600_000)}` : ''}</small></dd></div>
    <div class="trend"><dt>events, errors in ${duration(span)}</dt><dd><${Trend} since=${look.since} until=${look.until} every=${every} /></dd></div>
  </dl>`
}

/** @param {{since: string, until: string, every: number | undefined}} props */
function Trend({ since, until, every }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null))
  // The end moves with each look: the question stays the same within a few seconds.
  const step = every ?? 1
  const rounded = (/** @type {string} */ at) => iso(Math.ceil(toMs(at) / step) * step)
  const range = { since: rounded(since), until: rounded(until) }
  const { answer } = useAnswer('histogram', { ...range, buckets: 60, by: 'level' })
  useEffect(() => {
    if (canvas.current && answer) drawBars(canvas.current, answer.data, toMs(range.since), toMs(range.until))
  }, [answer])
  const events = answer?.data.reduce((/** @type {number} */ sum, /** @type {any} */ bar) => sum + bar.count, 0)
  return html`<canvas ref=${canvas} role="img" aria-label=${answer ? `${some(events, 'event')} over time` : ''}></canvas>`
}

/** @param {{look: any}} props */
function Groups({ look }) {
  const byId = useMemo(() => new Map(look.unhealthy.map((/** @type {any} */ one) => [one.job_id, one])), [look])
  if (!look.groups.length) {
    return look.jobs
      ? html`<p class="clean">✔ All ${some(look.jobs, 'job')} of this time are well.</p>`
      : html`<${Nothing}>There were no jobs in this time. <a href=${link('search')}>Search all events</a><//>`
  }
  return look.groups.map((/** @type {any} */ group) => html`<${Group} key=${`${group.verdict}/${group.culprit.id}/${group.cause}`} group=${group} byId=${byId} until=${look.until} />`)
}

/** @param {{group: any, byId: Map<string, any>, until: string}} props */
function Group({ group, byId, until }) {
  const [all, setAll] = useState(false)
  const isLong = group.jobs.length > SHOWN + 1
  const jobs = all || !isLong ? group.jobs : group.jobs.slice(0, SHOWN)
  return html`<article class="card">
    <header>
      <${Status} of=${group.verdict} />
      <strong>${some(group.jobs.length, 'job')}</strong>
      <span><${Culprit} of=${group.culprit} /></span>
      ${group.cause && html`<span class="cause">${group.cause}</span>`}
      ${group.shared && html`<span class="soft">${typeof group.shared === 'string' ? group.shared : `${group.shared.key} ${group.shared.value}`}</span>`}
    </header>
    <ul>${jobs.map((/** @type {string} */ id) => {
      const found = byId.get(id)
      return html`<li data-row tabindex="-1"><a class="id" href=${jobLink(id)}>${id}</a>
        <span class="reason" title=${found?.reason}>${found?.reason}</span>
        <span class="soft">${found?.confidence}, <${Time} at=${found?.since}>${ago(found?.since, toMs(until))}<//></span></li>`
    })}</ul>
    ${isLong && html`<footer><button type="button" class="quiet" aria-expanded=${all} onClick=${() => setAll(!all)}>
      ${all ? 'fewer' : `${count(group.jobs.length - SHOWN)} more`}</button></footer>`}
  </article>`
}

/** @param {{of: import('../ask.js').Asked}} props */
function Alerts({ of }) {
  return html`<section><h2><a href=${link('anomalies')}>Alerts</a></h2>
    <${Answered} of=${of} quiet what="what is unusual" children=${(/** @type {any[]} */ found) => {
      const loud = found.filter(one => one.severity === 'alert')
      const calm = found.filter(one => one.severity !== 'alert')
      return html`${loud.length ? html`<ul class="findings">${loud.map(one => html`<${Finding} one=${one} />`)}</ul>` : html`<${Nothing}>Nothing is unusual.<//>`}
        ${calm.length > 0 && html`<details><summary>${some(calm.length, 'note')}</summary><ul class="findings">${calm.map(one => html`<${Finding} one=${one} />`)}</ul></details>`}`
    }} /></section>`
}

/** @param {{one: any}} props */
function Finding({ one }) {
  return html`<li data-row tabindex="-1"><${Status} of=${one.severity} words=${one.kind.replace(/_/g, ' ')} />
    <span class="soft"> ${one.since && html`since <${Time} at=${one.since} />`}</span>
    <br />${one.message}
    ${one.subject.job_id && html` <${Job} id=${one.subject.job_id} />`}
    ${one.subject.worker_id && html` <a href=${link('search', { 'worker-id': one.subject.worker_id, since: one.window[0], until: one.window[1] })}>its events</a>`}
    ${!one.subject.worker_id && one.subject.event_type && html` <a href=${link('search', { 'event-type': one.subject.event_type, since: one.window[0], until: one.window[1] })}>the events</a>`}</li>`
}

/** @param {{of: import('../ask.js').Asked}} props */
function Changes({ of }) {
  return html`<section><h2><a href=${link('changes')}>What changed</a></h2>
    <${Answered} of=${of} quiet what="what changed" children=${(/** @type {any} */ data) => data.changes.length
      ? html`<ul class="findings">${data.changes.slice(0, 6).map((/** @type {any} */ one) => html`<li data-row tabindex="-1"><${Status} of=${one.change} /> ${one.words}</li>`)}</ul>
        ${data.changes.length > 6 && html`<p><a href=${link('changes')}>${count(data.changes.length - 6)} more</a></p>`}`
      : html`<${Nothing}>Nothing, compared with the ${duration(data.before_hours * 3_600_000)} before.<//>`} /></section>`
}

/** @param {{workers: any[]}} props */
function Workers({ workers }) {
  if (!workers.length) return null
  return html`<section><h2><a href=${link('workers')}>Workers</a></h2><ul class="findings">${workers.map(one => html`<li data-row tabindex="-1">
    <${Status} of=${one.life} /> <a class="id" href=${link('search', { 'worker-id': one.worker_id })}>${one.worker_id}</a>
    ${one.speed && html` takes ×${figure(one.speed.factor)} as long as its peers`}
    ${one.lost.length > 0 && html` lost ${some(one.lost.length, 'job')}: <${Job} id=${one.lost[0].job_id} />`}
    ${one.clock && html` clock ${one.clock.ms > 0 ? 'ahead' : 'behind'} by ${duration(Math.abs(one.clock.ms))}`}</li>`)}</ul></section>`
}

/** @param {{steps: any[]}} props */
function Missing({ steps }) {
  if (!steps.length) return null
  return html`<section><h2>Missing steps</h2><ul class="findings">${steps.map(step => html`<li data-row tabindex="-1"><${Job} id=${step.job_id} /> lacks ${step.event_type}${step.worker_id && html` <span class="soft">${step.worker_id} had it</span>`}</li>`)}</ul></section>`
}
