// Begins: signs in by the link's token, learns what the server has, and draws the view of the address.
import { html, render, useEffect, useState } from './html.js'
import { askEarly, connection, signedIn } from './ask.js'
import { followLinks, link, route } from './route.js'
import { useStore } from './store.js'
import { zone } from './units.js'
import { Nothing, Waiting, askMeta, meta } from './parts.js'
import { Shell, SignIn, signIn } from './shell.js'

/** Each view is loaded when somebody goes there. @type {Record<string, () => Promise<{View: any}>>} */
const VIEWS = {
  home: () => import('./views/home.js'),
  job: () => import('./views/job.js'),
  trace: () => import('./views/job.js'),
  search: () => import('./views/search.js'),
  tail: () => import('./views/tail.js'),
  sql: () => import('./views/sql.js'),
  perf: () => import('./views/perf.js'),
  gaps: () => import('./views/gaps.js'),
  handoffs: () => import('./views/handoffs.js'),
  changes: () => import('./views/changes.js'),
  anomalies: () => import('./views/anomalies.js'),
  workers: () => import('./views/workers.js'),
  health: () => import('./views/health.js'),
}
/** What an empty store can be asked all the same. */
const WITHOUT_EVENTS = ['tail', 'sql', 'health']

/** What need not wait until it is known what the store has. */
const FIRST = ['home', 'job', 'trace']

function Page() {
  const isIn = useStore(signedIn)
  const told = useStore(meta)
  const now = useStore(route)
  const reached = useStore(connection)
  const [failure, setFailure] = useState('')
  useEffect(() => {
    if (isIn !== false && reached === 'good') askMeta().then(data => { zone.set(data.tz || 'UTC'); signedIn.set(true); setFailure('') }, error => setFailure(error.message))
  }, [isIn, reached])
  useEffect(() => {
    // A store that is still empty, or grows, is looked at now and then.
    if (!told) return
    const timer = setInterval(() => document.hidden || askMeta().catch(() => {}), told.events ? 30_000 : 2000)
    return () => clearInterval(timer)
  }, [!told, told?.events === 0])
  if (isIn === false) return html`<${SignIn} />`
  return html`<${Shell}>${told || FIRST.includes(now.view) ? html`<${Chosen} now=${now} isEmpty=${told?.events === 0} />`
    : failure && reached === 'good' ? html`<p class="told bad" role="alert">✖ ${failure}</p>` : html`<${Waiting} what="what this store has" />`}<//>`
}

/** @param {{now: import('./route.js').Route, isEmpty: boolean}} props */
function Chosen({ now, isEmpty }) {
  const [loaded, setLoaded] = useState(/** @type {{view: string, View: any, failure?: string}} */ ({ view: '', View: null }))
  useEffect(() => {
    const load = VIEWS[now.view]
    if (!load) return
    let isWanted = true
    load().then(
      module => isWanted && setLoaded({ view: now.view, View: module.View }),
      error => isWanted && setLoaded({ view: now.view, View: null, failure: String(error) }),
    )
    return () => { isWanted = false }
  }, [now.view])
  if (!VIEWS[now.view]) return html`<h1>Nothing is here</h1><p>There is no view of that name. <a href=${link('')}>What needs a look</a></p>`
  if (isEmpty && !WITHOUT_EVENTS.includes(now.view)) return html`<${EmptyStore} />`
  if (loaded.view !== now.view) return html`<${Waiting} what="the view" />`
  if (loaded.failure) return html`<p class="told bad" role="alert">✖ The view could not be loaded: ${loaded.failure} <button onClick=${() => location.reload()}>Load the page again</button></p>`
  return html`<${loaded.View} key=${`${now.view}/${now.id}`} id=${now.id} view=${now.view} />`
}

function EmptyStore() {
  const told = useStore(meta)
  return html`<h1>No events yet</h1><${Nothing}>
    The store <code>${told.store}</code> holds no event. Start <code>emp-events collect --store ${told.store}</code> beside a Redis
    that services write to, or take a load to look at: <code>emp-events simulate</code>. This page goes on by itself when the first event comes.<//>
    <p><a href=${link('health')}>Health</a> says whether events get through.</p>`
}

async function begin() {
  followLinks()
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  if (token) {
    // Whoever looks at the address, or passes it on, is not to find the token there.
    history.replaceState(null, '', location.pathname + location.search)
    await signIn(token)
  }
  askAhead()
  const root = /** @type {HTMLElement} */ (document.getElementById('page'))
  root.textContent = ''
  render(html`<${Page} />`, root)
}

/** The two views that links lead to most: their questions need not wait for anything. */
function askAhead() {
  const { view, id, query } = route.get()
  VIEWS[view]?.().catch(() => {})
  const now = query.get('now')
  if (view === 'home') askEarly('needs-a-look', now ? { now } : {})
  if (view === 'job') for (const question of ['timeline', 'diagnose']) askEarly(question, { job: id, now })
}

begin()
