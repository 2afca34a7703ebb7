// Workers: who lives, what each has and lost, how fast it is, whose clock is wrong.
import { html } from '../html.js'
import { useAnswer } from '../ask.js'
import { Answered, Head, Job, Notes, Nothing, Status, Table, Time, useRange, workerLink } from '../parts.js'
import { WorkersOverTime } from '../steps.js'
import { ago, count, duration, figure, some, toMs } from '../units.js'

export function View() {
  const range = useRange(86_400_000)
  const found = useAnswer('workers', { since: range.since, until: range.until }, { main: true })
  return html`<${Head} title="Workers" answers="Who lives, what each has and lost, how fast it is, whose clock is wrong" range=${range} />
    <${Answered} of=${found} what="the workers" children=${(/** @type {any} */ data) => html`<${Notes} notes=${data.notes} />
      ${data.workers.length ? html`<${Summary} workers=${data.workers} /><${WorkersOverTime} range=${range} /><${Rows} workers=${data.workers} range=${range} until=${toMs(data.window[1])} />` : html`<${Nothing}>No event of this time names a worker: emit <code>worker.ready</code> and <code>workerId</code> with the events of jobs.<//>`}`} />`
}

/** @param {{workers: any[]}} props */
function Summary({ workers }) {
  const sum = (/** @type {(one: any) => boolean} */ is) => workers.filter(is).length
  const silent = sum(one => one.life === 'silent')
  const lost = workers.reduce((all, one) => all + one.lost.length, 0)
  return html`<dl class="figures slim"><div><dt>workers</dt><dd>${count(workers.length)}</dd></div><div><dt>alive</dt><dd class="good">✔ ${count(sum(one => one.life === 'alive'))}</dd></div>
    <div><dt>silent</dt><dd class=${silent ? 'bad' : ''}>${silent ? '✖ ' : ''}${count(silent)}</dd></div><div><dt>slower than peers</dt><dd>${count(sum(one => one.speed?.factor > 1))}</dd></div>
    <div><dt>clock wrong</dt><dd>${count(sum(one => one.clock))}</dd></div><div><dt>jobs lost</dt><dd class=${lost ? 'bad' : ''}>${count(lost)}</dd></div></dl>`
}

/** @param {{workers: any[], range: import('../parts.js').Range, until: number}} props */
function Rows({ workers, range, until }) {
  const most = Math.max(1, ...workers.map(one => one.events))
  return html`<${Table} label="Workers" rows=${workers} columns=${[
    { title: 'worker', by: (/** @type {any} */ row) => row.worker_id, show: (/** @type {any} */ row) => html`<a class="id" href=${workerLink(row.worker_id, range)}>${row.worker_id}</a>` }, { title: 'machine', by: (/** @type {any} */ row) => row.machine_id, show: (/** @type {any} */ row) => row.machine_id ?? '–' },
    { title: 'life', by: (/** @type {any} */ row) => row.life, show: (/** @type {any} */ row) => html`<${Status} of=${row.life} />` },
    { title: 'last heard', by: (/** @type {any} */ row) => row.last_heard, show: (/** @type {any} */ row) => html`<${Time} at=${row.last_heard}>${ago(row.last_heard, until)}<//> <span class="soft" title="silent from so long on">of ${duration(row.limit_ms)}</span>` },
    { title: 'speed', by: (/** @type {any} */ row) => row.speed?.factor ?? null, show: (/** @type {any} */ row) => row.speed ? html`<span class=${row.speed.factor > 1 ? 'warn' : 'good'}>${row.speed.factor > 1 ? '▲' : '▼'} ×${figure(row.speed.factor)}</span> <span class="soft">since <${Time} at=${row.speed.since} /></span>` : 'as its peers' },
    { title: 'clock', by: (/** @type {any} */ row) => (row.clock ? Math.abs(row.clock.ms) : null), show: (/** @type {any} */ row) => row.clock ? html`<span class="warn">▲ ${row.clock.ms > 0 ? 'ahead' : 'behind'} ${duration(Math.abs(row.clock.ms))}</span>` : 'right' },
    { title: 'has', show: (/** @type {any} */ row) => jobs(row.jobs) }, { title: 'lost', by: (/** @type {any} */ row) => row.lost.length, show: (/** @type {any} */ row) => row.lost.length ? html`<span class="bad">✖ ${some(row.lost.length, 'job')}</span> ${jobs(row.lost.map((/** @type {any} */ one) => one.job_id))}` : '–' },
    { title: 'events', number: true, by: (/** @type {any} */ row) => row.events, show: (/** @type {any} */ row) => count(row.events) }, { title: '', show: (/** @type {any} */ row) => html`<span class="meter short" aria-hidden="true"><i style=${{ width: `${(row.events / most) * 100}%` }}></i></span>` },
    { title: 'restarts', number: true, by: (/** @type {any} */ row) => row.restarts, show: (/** @type {any} */ row) => html`<span title=${row.restarted ?? ''}>${count(row.restarts)}</span>` },
  ]} />`
}

/** @param {string[]} ids */
const jobs = ids => (ids.length ? html`<${Job} id=${ids[0]} />${ids.length > 1 ? html` <span class="soft" title=${ids.slice(1).join(', ')}>and ${ids.length - 1}</span>` : ''}` : '–')
