// Anomalies: what is unusual, and how often these rules would have told somebody.
import { html, useEffect, useState } from '../html.js'
import { useAnswer } from '../ask.js'
import { link, route, setQuery } from '../route.js'
import { useStore } from '../store.js'
import { Answered, Head, Job, Nothing, Status, Table, Time, meta, now } from '../parts.js'
import { count, duration, figure, iso, moment, percent, toMs } from '../units.js'

export function View() {
  const { query } = useStore(route)
  const told = useStore(meta)
  const as = query.get('now')
  const isLive = told.live && !as
  const found = useAnswer('anomalies', { now: as }, { main: true, every: isLive ? 10_000 : undefined })
  const backtest = query.get('backtest')
  return html`<${Head} title="Anomalies" answers=${as ? `What was unusual at ${moment(as)}` : 'What is unusual now'}>
      <label class="soft">as of <input type="text" size="24" aria-label="As of" value=${as ?? ''} placeholder=${iso(now())} spellcheck="false" onChange=${(/** @type {any} */ event) => { const ms = toMs(event.target.value); setQuery({ now: Number.isNaN(ms) ? null : iso(ms) }) }} /></label><//>
    <${Answered} of=${found} what="what is unusual" children=${(/** @type {any[]} */ rows) => rows.length ? html`<${Found} rows=${rows} />` : html`<p class="clean">✔ Nothing is unusual.</p>`} />
    <section class="below"><h2>Had these rules told somebody</h2>
      <div class="tools"><span class="soft">Looks again once an hour over the past:</span>${['1d', '2d', '7d', '14d'].map(last => html`<button type="button" aria-pressed=${backtest === last} onClick=${() => setQuery({ backtest: last })}>${last}</button>`)}</div>
      ${backtest && html`<${Backtest} last=${backtest} now=${as} />`}</section>`
}

/** @param {any} one */
const subject = one => html`${[['worker-id', one.subject.worker_id], ['machine-id', one.subject.machine_id], ['service', one.subject.service], ['event-type', one.subject.event_type]].filter(([, id]) => id).map(([option, id]) => html`<a href=${link('search', { [option]: id, since: one.window[0], until: one.window[1] })}>${id}</a> `)}${one.subject.job_id && html`<${Job} id=${one.subject.job_id} />`}`

/** @param {number | null} value @param {string} unit */
const inUnit = (value, unit) => (value == null ? '–' : unit === 'ms' ? duration(value) : unit === 'share' ? percent(value) : `${figure(value)} ${unit}`)

/** @param {{rows: any[]}} props */
function Found({ rows }) {
  return html`<${Table} label="Anomalies" rows=${rows} columns=${[
    { title: 'severity', by: (/** @type {any} */ row) => row.severity, show: (/** @type {any} */ row) => html`<${Status} of=${row.severity} />` }, { title: 'kind', by: (/** @type {any} */ row) => row.kind, show: (/** @type {any} */ row) => row.kind.replace(/_/g, ' ') },
    { title: 'what', wide: true, show: (/** @type {any} */ row) => row.message }, { title: 'of', show: subject },
    { title: 'is', number: true, show: (/** @type {any} */ row) => inUnit(row.value, row.unit) }, { title: 'usual', number: true, show: (/** @type {any} */ row) => inUnit(row.baseline, row.unit) },
    { title: 'since', by: (/** @type {any} */ row) => row.since, show: (/** @type {any} */ row) => html`<${Time} at=${row.since} />` },
    { title: 'q', number: true, hint: 'how likely it is to be chance', by: (/** @type {any} */ row) => row.q, show: (/** @type {any} */ row) => row.q == null ? '–' : row.q < 0.001 ? row.q.toExponential(0) : figure(row.q) },
  ]} />`
}

/** @param {{last: string, now: string | null}} props */
function Backtest({ last, now }) {
  const found = useAnswer('anomalies', { backtest: true, last, now })
  const seconds = useSeconds(found.loading)
  return html`${found.loading && html`<p class="soft" role="status">Looking at ${last} hour by hour: ${seconds} s so far; of a large store that takes a while.</p>`}
    <${Answered} of=${found} what="how often they would have told" children=${(/** @type {any} */ data) => html`
      <dl class="figures slim"><div><dt>looked at</dt><dd>${figure(data.days)} days</dd></div><div><dt>alerts</dt><dd>${count(data.alerts.length)}</dd></div><div><dt>a day</dt><dd>${figure(data.alerts_per_day)}</dd></div>
        ${data.compared && html`<div><dt>false</dt><dd>${count(data.compared.false_alarms)}</dd></div>`}</dl>
      ${data.alerts.length > 0 && html`<${Lanes} alerts=${data.alerts} days=${data.days} /><${Table} label="Alerts that there would have been" rows=${data.alerts} columns=${[
        { title: 'from', by: (/** @type {any} */ row) => row.from, show: (/** @type {any} */ row) => html`<a href=${link('', { now: row.from })}><${Time} at=${row.from} /></a>` }, { title: 'until', by: (/** @type {any} */ row) => row.until, show: (/** @type {any} */ row) => html`<${Time} at=${row.until} />` },
        { title: 'kind', by: (/** @type {any} */ row) => row.anomaly.kind, show: (/** @type {any} */ row) => row.anomaly.kind.replace(/_/g, ' ') }, { title: 'what', wide: true, show: (/** @type {any} */ row) => row.anomaly.message }, { title: 'of', show: (/** @type {any} */ row) => subject(row.anomaly) },
      ]} />`}
      ${!data.alerts.length && html`<${Nothing}>Nobody would have been told anything.<//>`}`} />`
}

/** When each kind would have told: a line for each alert. @param {{alerts: any[], days: number}} props */
function Lanes({ alerts, days }) {
  const until = Math.max(...alerts.map(alert => toMs(alert.until)))
  const since = Math.min(until - days * 86_400_000, ...alerts.map(alert => toMs(alert.from)))
  const kinds = [...new Set(alerts.map(alert => alert.anomaly.kind))]
  const x = (/** @type {string} */ at) => ((toMs(at) - since) / (until - since)) * 100
  return html`<div class="lanes" role="img" aria-label="When each kind of alert would have told">${kinds.map(kind => html`<div><span>${kind.replace(/_/g, ' ')}</span><b>${alerts.filter(alert => alert.anomaly.kind === kind).map(alert => html`<i style=${{ left: `${x(alert.from)}%`, width: `max(3px, ${x(alert.until) - x(alert.from)}%)` }}></i>`)}</b></div>`)}
    <p class="soft"><span>${moment(since)}</span><span>${moment(until)}</span></p></div>`
}

/** @param {boolean} isOn */
function useSeconds(isOn) {
  const [seconds, setSeconds] = useState(0)
  useEffect(() => {
    setSeconds(0)
    if (!isOn) return
    const timer = setInterval(() => setSeconds(old => old + 1), 1000)
    return () => clearInterval(timer)
  }, [isOn])
  return seconds
}
