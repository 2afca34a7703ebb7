// What is around every view: where one can go, the field that opens any id, keys, and how the view was asked.
import { html, useEffect, useRef, useState } from './html.js'
import { apiAddress, ask, asked, connection, signedIn } from './ask.js'
import { base, go, link, route } from './route.js'
import { useStore } from './store.js'
import { useKeys } from './keys.js'
import { Copy, fixedAddress, meta, moveRow, openRow } from './parts.js'
import { count, moment } from './units.js'

const VIEWS = /** @type {[view: string, title: string, group: string][]} */ ([
  ['', 'Needs a look', 'now'], ['tail', 'Tail', 'now'], ['health', 'Health', 'now'],
  ['search', 'Search', 'find'], ['sql', 'SQL', 'find'],
  ['perf', 'Performance', 'understand'], ['gaps', 'Gaps', 'understand'], ['handoffs', 'Handoffs', 'understand'],
  ['changes', 'Changes', 'understand'], ['anomalies', 'Anomalies', 'understand'], ['workers', 'Workers', 'understand'],
])

/** @param {{children: any}} props */
export function Shell({ children }) {
  const [help, setHelp] = useState(false)
  const [menu, setMenu] = useState(false)
  const find = useRef(/** @type {HTMLInputElement | null} */ (null))
  const now = useStore(route)
  const main = useRef(/** @type {HTMLElement | null} */ (null))
  useEffect(() => setMenu(false), [now.path])
  useKeys({
    '/': () => find.current?.focus(),
    '?': () => setHelp(true),
    h: () => setHelp(true),
    j: () => moveRow(1), ArrowDown: () => moveRow(1), k: () => moveRow(-1), ArrowUp: () => moveRow(-1),
    Home: () => moveRow(-1e9), End: () => moveRow(1e9), G: () => moveRow(1e9),
    Enter: openRow, d: openRow, t: openRow,
    c: () => go('changes'),
    Escape: () => { if (document.activeElement instanceof HTMLElement) document.activeElement.blur() },
  })
  const active = now.view === 'home' ? '' : now.view
  return html`
    <a class="skip" href="#main" onClick=${(/** @type {Event} */ event) => { event.preventDefault(); main.current?.focus() }}>To the content</a>
    <div class="shell">
      <nav aria-label="Views" class=${menu ? 'is-open' : ''}>
        <a class="name" href=${base}><img src="assets/icon.svg" alt="" width="20" height="20" /> emp-events</a>
        <button type="button" class="menu" aria-expanded=${menu} onClick=${() => setMenu(!menu)}>Views</button>
        <div class="views">
          ${['now', 'find', 'understand'].map(group => html`<p class="group">${group}</p><ul>
            ${VIEWS.filter(view => view[2] === group).map(([view, title]) => html`<li>
              <a href=${link(view)} aria-current=${view === active ? 'page' : undefined}>${title}</a></li>`)}</ul>`)}
          <${About} />
        </div>
      </nav>
      <div class="middle">
        <div class="top"><${Find} input=${find} /><${Liveness} />
          <button type="button" class="quiet" aria-label="Keys" title="Keys (?)" onClick=${() => setHelp(true)}>?</button></div>
        <${Lost} />
        <main id="main" tabindex="-1" ref=${main}>${children}</main>
        <${AskLine} />
      </div>
    </div>
    ${help && html`<${Help} close=${() => setHelp(false)} />`}`
}

function About() {
  const told = useStore(meta)
  if (!told) return null
  return html`<dl class="about"><dt>store</dt><dd title=${told.store}>${String(told.store).split('/').filter(Boolean).slice(-2).join('/')}</dd>
    <dt>events</dt><dd>${count(told.events)}</dd><dt>version</dt><dd>${told.version}</dd></dl>`
}

function Liveness() {
  const told = useStore(meta)
  if (!told) return null
  return told.live
    ? html`<span class="pill good" title="A collector writes to this store"><span class="dot" aria-hidden="true"></span> live</span>`
    : html`<span class="pill" title="No collector writes to this store: it is looked at as of its newest event"><span class="wide">as of </span>${moment(told.now)}</span>`
}

function Lost() {
  return useStore(connection) === 'lost'
    ? html`<p class="lost" role="alert">✖ The server cannot be reached: what you see may be old. Trying again …</p>`
    : null
}

/**
 * Opens any job, trace or worker by the beginning of its id.
 * @param {{input: {current: HTMLInputElement | null}}} props
 */
function Find({ input }) {
  const [text, setText] = useState('')
  const [found, setFound] = useState(/** @type {{kind: string, id: string}[]} */ ([]))
  const [at, setAt] = useState(0)
  const [open, setOpen] = useState(false)
  useEffect(() => {
    const typed = text.trim()
    setAt(0)
    if (typed.length < 2) return setFound([])
    const aborter = new AbortController()
    const timer = setTimeout(() => {
      ask('resolve', { q: typed }, { signal: aborter.signal }).then(answer => setFound(answer.data), () => {})
    }, 120)
    return () => {
      clearTimeout(timer)
      aborter.abort()
    }
  }, [text])
  /** @param {{kind: string, id: string}} one */
  const visit = one => {
    setText('')
    setOpen(false)
    input.current?.blur()
    if (one.kind === 'worker') go(link('search', { 'worker-id': one.id }).slice(base.length))
    else go(`${one.kind}/${encodeURIComponent(one.id)}`)
  }
  /** @param {KeyboardEvent} event */
  const press = event => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      setAt(Math.max(0, Math.min(found.length - 1, at + (event.key === 'ArrowDown' ? 1 : -1))))
    } else if (event.key === 'Enter' && text.trim()) {
      event.preventDefault()
      // What was typed whole is opened at once, also before the server has answered.
      visit(found.find(one => one.id === text.trim()) ?? found[at] ?? { kind: 'job', id: text.trim() })
    } else if (event.key === 'Escape') {
      setOpen(false)
      input.current?.blur()
    }
  }
  const shows = open && text.trim().length >= 2
  return html`<div class="find"><input ref=${input} type="search" role="combobox" aria-label="Open a job, trace or worker by its id"
      aria-expanded=${shows} aria-controls="found" aria-activedescendant=${shows && found.length ? `found-${at}` : undefined}
      aria-autocomplete="list" autocomplete="off" spellcheck="false" placeholder="Job, trace or worker id" value=${text}
      onInput=${(/** @type {any} */ event) => { setText(event.target.value); setOpen(true) }}
      onFocus=${() => setOpen(true)} onBlur=${() => setTimeout(() => setOpen(false), 150)} onKeyDown=${press} />
    <kbd aria-hidden="true">/</kbd>
    <ul id="found" role="listbox" aria-label="What begins so" class=${shows ? 'popup' : 'popup hidden'}>
      ${found.map((one, place) => html`<li role="option" id=${`found-${place}`} aria-selected=${place === at}
        onMouseDown=${(/** @type {Event} */ event) => { event.preventDefault(); visit(one) }}>
        <span class="soft">${one.kind}</span> <span class="id">${one.id}</span></li>`)}
      ${shows && !found.length && html`<li role="option" aria-selected="false" class="soft">Enter opens the job of that name</li>`}
    </ul></div>`
}

/** The same view as a command line, as SQL and as an address. */
function AskLine() {
  const now = useStore(route)
  const how = useStore(asked)
  return html`<footer class="askline" aria-label="How this view is asked">
    ${how?.command && html`<span class="soft">CLI</span> <code title=${how.command}>${how.command}</code>
      <${Copy} text=${how.command} label="Copy the command line" />`}
    <span class="grow"></span>
    ${how?.sql && html`<${Copy} text=${how.sql} label="Copy the SQL">copy SQL<//>`}
    ${how?.sql && now.view !== 'sql' && !/\$[a-z_]/.test(how.sql) && html`<a href=${link('sql', { q: how.sql })}>edit as SQL</a>`}
    <${Copy} text=${fixedAddress} label="Copy the address of this view">copy URL<//>
    <${Keep} now=${now} />
  </footer>`
}

/** One HTML file: of a job with all that it has, else what is on the screen. @param {{now: import('./route.js').Route}} props */
function Keep({ now }) {
  const hint = 'One HTML file, which needs neither this server nor a network'
  if (now.view === 'job' && now.id) return html`<a class="button quiet" download title=${hint} href=${apiAddress('export', { job: now.id, now: now.query.get('now') })}>keep</a>`
  return html`<button type="button" class="quiet" title=${hint} onClick=${() => import('./keep.js').then(({ keepView }) => keepView())}>keep</button>`
}

const KEYS = [
  ['j  k  ↓  ↑', 'next, previous row'], ['Enter  t  d', 'open it'], ['g h', 'first, last: Home, End'],
  ['/', 'open a job, trace or worker by its id'], ['Space  p', 'hold what is live, let it go on'], ['r', 'look again'],
  ['c', 'what changed'], ['d  t  e', 'in a job: verdict, waterfall, events'], ['z  0', 'in a waterfall: silences in full or short; all of it'],
  ['Ctrl Enter', 'in SQL: run'], ['Esc', 'close, leave a field'], ['?', 'these keys'],
].filter(([keys]) => keys !== 'g h')

/** @param {{close: () => void}} props */
function Help({ close }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null))
  useEffect(() => dialog.current?.showModal(), [])
  return html`<dialog ref=${dialog} aria-label="Keys" onClose=${close} onClick=${(/** @type {Event} */ event) => event.target === dialog.current && close()}>
    <h2>Keys</h2><dl class="keys">${KEYS.map(([keys, what]) => html`<dt>${keys.split('  ').map(key => html`<kbd>${key}</kbd> `)}</dt><dd>${what}</dd>`)}</dl>
    <form method="dialog"><button>Close</button></form></dialog>`
}

/** Asks for the token where the link with it is not at hand. */
export function SignIn() {
  const [failure, setFailure] = useState('')
  /** @param {SubmitEvent} event */
  const submit = async event => {
    event.preventDefault()
    const token = String(new FormData(/** @type {HTMLFormElement} */ (event.currentTarget)).get('token')).trim()
    // A whole link is taken, too.
    setFailure(await signIn(token.replace(/^.*#token=/, '')))
  }
  return html`<main class="sign-in"><form onSubmit=${submit}><h1><img src="assets/icon.svg" alt="" width="28" height="28" /> emp-events</h1>
    <p>Where <code>emp-events serve</code> was started, it printed a link to this page with a token in it. Open that link, or put the token here.</p>
    <label>Token <input name="token" type="password" autocomplete="current-password" required /></label>
    ${failure && html`<p class="bad" role="alert">✖ ${failure}</p>`}
    <button type="submit">Sign in</button></form></main>`
}

/**
 * @param {string} token
 * @returns {Promise<string>} why not, or nothing
 */
export async function signIn(token) {
  try {
    const { request, apiAddress } = await import('./ask.js')
    await request(apiAddress('session'), {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token }),
    })
    signedIn.set(true)
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
