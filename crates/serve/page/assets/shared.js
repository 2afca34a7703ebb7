// What changes by itself, for all tabs of a browser at once: it keeps six connections to a server, and ten tabs may be open.
// Runs as a shared worker; `live.js` talks to it.

/** A tab that was closed without a word is forgotten after so long. */
const SILENT_MS = 30_000

/** What each tab wants, and when it said so last. @type {Map<MessagePort, {views: string[], at: number}>} */
const tabs = new Map()
/** The last answer of each view that is wanted. @type {Map<string, any>} */
const known = new Map()
/** @type {EventSource | null} */
let source = null
let opened = ''
let base = '/'

function connect() {
  const views = [...new Set([...tabs.values()].flatMap(tab => tab.views))].sort()
  if (views.join(',') === opened) return
  source?.close()
  source = null
  opened = views.join(',')
  for (const view of known.keys()) if (!views.includes(view)) known.delete(view)
  if (!views.length) return
  source = new EventSource(`${base}api/v1/live?views=${encodeURIComponent(opened)}`)
  for (const view of views) source.addEventListener(view, event => tell(view, JSON.parse(/** @type {MessageEvent} */ (event).data)))
}

/** @param {string} view @param {any} data */
function tell(view, data) {
  // What went wrong is told by the question itself, which is asked now and then, too.
  if (data?.error) return
  known.set(view, data)
  for (const [port, tab] of tabs) if (tab.views.includes(view)) port.postMessage({ view, data })
}

/** @param {MessagePort} port @param {{views: string[], base: string}} said */
function take(port, said) {
  const before = tabs.get(port)?.views ?? []
  base = said.base
  tabs.set(port, { views: said.views, at: Date.now() })
  for (const view of said.views) if (!before.includes(view) && known.has(view)) port.postMessage({ view, data: known.get(view) })
  connect()
}

setInterval(() => {
  for (const [port, tab] of tabs) if (Date.now() - tab.at > SILENT_MS) tabs.delete(port)
  connect()
}, SILENT_MS / 3)

addEventListener('connect', event => {
  const [port] = /** @type {MessageEvent} */ (event).ports
  port.addEventListener('message', message => take(port, message.data))
  port.start()
})
