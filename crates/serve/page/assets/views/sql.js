// SQL: a statement, its rows as they come, and files of them to keep.
import { html, useEffect, useRef, useState } from '../html.js'
import { apiAddress, asked, request, told, useAnswer } from '../ask.js'
import { route, setQuery } from '../route.js'
import { useStore } from '../store.js'
import { useKeys } from '../keys.js'
import { Answered, Head, Job, Notes, Nothing, Time } from '../parts.js'
import { count, duration, figure } from '../units.js'
import { Editor } from '../sql/editor.js'

const FIRST = "select service, count(*) as events, count(*) filter (where level = 'error') as errors\nfrom events\ngroup by service\norder by events desc"
/** Rows that the page takes; a file has all of them. */
const LIMIT = 10_000
const SHOWN = 500

/** @param {{statement: string, format: string, limit?: number}} question @param {AbortSignal} signal */
const post = (question, signal) => request(apiAddress('sql'), { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(question), signal })

/** @typedef {{rows: any[], state: 'none' | 'running' | 'done' | 'failed' | 'cancelled', failure: string, notes: string[], took: number}} Run */

export function View() {
  const { query } = useStore(route)
  const given = query.get('q')
  const canned = query.get('query')
  const [text, setText] = useState(given ?? FIRST)
  const [run, setRun] = useState(/** @type {Run} */ ({ rows: [], state: 'none', failure: '', notes: [], took: 0 }))
  const aborter = useRef(/** @type {AbortController | null} */ (null))
  const start = async (/** @type {string} */ statement) => {
    aborter.current?.abort()
    const own = new AbortController()
    aborter.current = own
    const began = performance.now()
    const rows = /** @type {any[]} */ ([])
    const show = (/** @type {Partial<Run>} */ what) => aborter.current === own && setRun({ rows: rows.slice(), state: 'running', failure: '', notes: [], took: performance.now() - began, ...what })
    show({})
    try {
      const response = await post({ statement, format: 'ndjson', limit: LIMIT }, own.signal)
      const how = told(response)
      asked.set({ command: how.command, sql: statement })
      await readLines(response, line => rows.push(JSON.parse(line)), () => show({ notes: how.notes }))
      show({ state: 'done', notes: how.notes })
    } catch (error) {
      if (own.signal.aborted) show({ state: 'cancelled' })
      else show({ state: 'failed', failure: error instanceof Error ? error.message : String(error) })
    }
  }
  useEffect(() => {
    if (given === null) return
    setText(given)
    start(given)
    return () => aborter.current?.abort()
  }, [given])
  const ask = () => {
    if (!text.trim()) return
    if (given === text) start(text)
    else setQuery({ q: text, query: null, param: null })
  }
  const cancel = () => aborter.current?.abort()
  useKeys({ r: ask, Escape: cancel })
  const isRunning = run.state === 'running'
  return html`
    <${Head} title="SQL" answers="Asks the store; nothing can be changed" />
    <div class="sql"><div>
      <${Editor} value=${text} change=${setText} run=${ask} />
      <div class="tools run">
        ${isRunning ? html`<button type="button" class="main" onClick=${cancel}>Cancel</button>` : html`<button type="button" class="main" onClick=${ask}>Run</button>`}
        <span class="soft" id="sql-help"><kbd>Ctrl</kbd> <kbd>Enter</kbd> runs, <kbd>Tab</kbd> completes, <kbd>Ctrl</kbd> <kbd>Space</kbd> offers</span><span class="grow"></span>
        <${Export} statement=${text} /></div>
      ${canned ? html`<${CannedRows} name=${canned} given=${query.getAll('param')} />` : html`<${Result} run=${run} again=${ask} />`}</div>
      <${Library} choose=${(/** @type {string} */ statement) => { setText(statement); setQuery({ q: statement, query: null, param: null }) }} /></div>`
}

/**
 * Reads an answer line by line while it comes.
 * @param {Response} response @param {(line: string) => void} take @param {() => void} show
 */
async function readLines(response, take, show) {
  if (!response.body) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  let shown = performance.now()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    const lines = (rest + value).split('\n')
    rest = /** @type {string} */ (lines.pop())
    for (const line of lines) if (line.trim()) take(line)
    if (performance.now() - shown < 100) continue
    shown = performance.now()
    show()
  }
  if (rest.trim()) take(rest)
}

/** @param {{run: Run, again: () => void}} props */
function Result({ run, again }) {
  if (run.state === 'none') return html`<${Nothing}>The tables are events, transitions, losses, quarantine, dead_letters and files; <code>describe events</code> names the columns of one.<//>`
  const state = { none: '', running: 'running …', done: 'done', failed: 'failed', cancelled: 'cancelled' }[run.state]
  return html`<p class="soft" role="status">${run.state === 'running' && html`<span class="spin" aria-hidden="true"></span> `}${count(run.rows.length)} rows, ${state} after ${duration(Math.round(run.took))}
      ${run.rows.length >= LIMIT && ` – the first ${count(LIMIT)}: a file has all of them`}</p>
    <${Notes} notes=${run.notes} />
    ${run.failure && html`<div class="told bad" role="alert">✖ It could not be answered<pre class="message">${run.failure}</pre><button type="button" onClick=${again}>Ask again</button></div>`}
    ${run.rows.length > 0 ? html`<${Rows} rows=${run.rows} />` : run.state === 'done' && html`<${Nothing}>No rows.<//>`}`
}

/** @param {{rows: any[]}} props */
function Rows({ rows }) {
  const [most, setMost] = useState(SHOWN)
  const columns = [...new Set(rows.slice(0, 50).flatMap(row => Object.keys(row)))]
  const isNumber = (/** @type {string} */ name) => rows.slice(0, 50).every(row => row[name] == null || typeof row[name] === 'number')
  return html`<div class="scroll answer" tabindex="0" role="region" aria-label="Rows of the answer"><table><thead><tr>${columns.map(name => html`<th scope="col" class=${isNumber(name) ? 'number' : ''}>${name}</th>`)}</tr></thead>
    <tbody>${rows.slice(0, most).map(row => html`<tr data-row tabindex="-1">${columns.map(name => html`<td class=${isNumber(name) ? 'number' : 'cell'}>${cell(name, row[name])}</td>`)}</tr>`)}</tbody></table>
    ${rows.length > most && html`<p><button type="button" onClick=${() => setMost(most + 2000)}>${count(rows.length - most)} more rows</button></p>`}</div>`
}

/** @param {string} name @param {any} value */
function cell(name, value) {
  if (value == null) return html`<span class="soft">null</span>`
  if (typeof value === 'number') return Number.isInteger(value) ? count(value) : figure(value)
  if (name.endsWith('job_id') || name === 'worst_job') return html`<${Job} id=${String(value)} />`
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)) return html`<${Time} at=${value} />`
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** @param {{statement: string}} props */
function Export({ statement }) {
  const [state, setState] = useState('')
  const save = async (/** @type {string} */ format) => {
    setState(`${format} …`)
    try {
      const response = await post({ statement, format }, new AbortController().signal)
      const url = URL.createObjectURL(await response.blob())
      const anchor = Object.assign(document.createElement('a'), { href: url, download: `emp-events.${format}` })
      anchor.click()
      setTimeout(() => URL.revokeObjectURL(url), 10_000)
      setState('')
    } catch (error) {
      setState(error instanceof Error ? error.message : String(error))
    }
  }
  return html`<span class="soft" role="status">${state}</span>${['csv', 'parquet', 'ndjson'].map(format => html`<button type="button" onClick=${() => save(format)}>${{ csv: 'CSV', parquet: 'Parquet', ndjson: 'NDJSON' }[format]}</button>`)}`
}

const OWN = [
  ['Errors by text', "select data->>'error' as error, count(*) as times, max(timestamp) as last\nfrom events\nwhere level = 'error'\ngroup by 1\norder by times desc\nlimit 50"],
  ['Events a minute', "select date_bin(interval '1 minute', timestamp) as minute, count(*) as events\nfrom events\ngroup by 1\norder by 1 desc\nlimit 120"],
  ['Slowest work', 'select timestamp, service, event_type, job_id, duration_ms\nfrom events\nwhere duration_ms is not null\norder by duration_ms desc\nlimit 50'],
  ['What was lost', 'select * from losses'],
  ['Files of the store', 'select * from files limit 200'],
]

/** @param {{choose: (statement: string) => void}} props */
function Library({ choose }) {
  const canned = useAnswer('query')
  const [shown, setShown] = useState(/** @type {any} */ (null))
  return html`<aside class="library"><h2>Statements to begin with</h2><ul class="plain">${OWN.map(([name, statement]) => html`<li><button type="button" class="quiet" onClick=${() => choose(statement)}>${name}</button></li>`)}</ul>
    <h2>Canned queries</h2><${Answered} of=${canned} quiet what="the canned queries" children=${(/** @type {any[]} */ queries) => html`<ul class="plain">${queries.map(one => html`<li>
      <button type="button" class="quiet" aria-expanded=${shown?.name === one.name} onClick=${() => setShown(shown?.name === one.name ? null : one)}>${one.name}</button>
      ${shown?.name === one.name && html`<${Canned} query=${one} choose=${choose} />`}</li>`)}</ul>`} /></aside>`
}

/** A canned query with its parameters; what it answers is shown where a statement's answer is. @param {{query: any, choose: (statement: string) => void}} props */
function Canned({ query, choose }) {
  /** @param {SubmitEvent} event */
  const submit = event => {
    event.preventDefault()
    const fields = [...new FormData(/** @type {HTMLFormElement} */ (event.currentTarget))]
    setQuery({ q: null, query: query.name, param: fields.filter(([, value]) => value !== '').map(([name, value]) => `${name}=${value}`) })
  }
  return html`<form class="canned" onSubmit=${submit}><p class="soft">${query.summary}</p>
    ${query.parameters.map((/** @type {any} */ one) => html`<label title=${one.meaning}>${one.name} <input name=${one.name} required=${one.required} placeholder=${one.default ?? one.meaning} spellcheck="false" /></label>`)}
    <div class="tools"><button type="submit">Run</button>${query.sql && html`<button type="button" onClick=${() => choose(query.sql)}>Edit as SQL</button>`}</div></form>`
}

/** @param {{name: string, given: string[]}} props */
function CannedRows({ name, given }) {
  const found = useAnswer(`query/${encodeURIComponent(name)}`, { param: given }, { main: true })
  return html`<p><strong>${name}</strong> <span class="soft">${given.join(', ')}</span></p>
    <${Answered} of=${found} what="the rows" children=${(/** @type {any[]} */ rows) => (rows.length ? html`<p class="soft">${count(rows.length)} rows</p><${Rows} rows=${rows} />` : html`<${Nothing}>No rows.<//>`)} />`
}
