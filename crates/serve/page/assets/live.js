// What changes by itself: one stream of the server for all that is on the screen, closed while nobody looks.
// A browser keeps six connections to a server, so all its tabs share one (`shared.js`), where it knows how.
import { useEffect, useState } from './html.js'
import { base } from './route.js'

/** So often a tab says that it is still there. */
const STILL_HERE_MS = 10_000

/** @type {Map<string, Set<(data: any) => void>>} */
const wanted = new Map()
/** @type {EventSource | null} */
let source = null
let opened = ''
let isPlanned = false
/** @type {MessagePort | null} */
let shared = null

try {
  shared = new SharedWorker(new URL('./shared.js', import.meta.url), { type: 'module', name: base }).port
  shared.addEventListener('message', ({ data }) => take(data.view, data.data))
  shared.start()
  setInterval(() => { if (opened) say() }, STILL_HERE_MS)
  addEventListener('pagehide', () => shared?.postMessage({ views: [], base }))
} catch {
  // Then this tab has a stream of its own.
}

function say() {
  shared?.postMessage({ views: opened ? opened.split(',') : [], base })
}

/** @param {string} view @param {any} data */
function take(view, data) {
  // What went wrong is told by the question itself, which is asked now and then, too.
  if (data?.error) return
  for (const taker of wanted.get(view) ?? []) taker({ data, at: performance.now() })
}

function plan() {
  if (isPlanned) return
  isPlanned = true
  queueMicrotask(() => {
    isPlanned = false
    connect()
  })
}

function connect() {
  const views = document.hidden ? '' : [...wanted.keys()].sort().join(',')
  if (views === opened) return
  opened = views
  if (shared) return say()
  source?.close()
  source = null
  if (!views) return
  source = new EventSource(`${base}api/v1/live?views=${encodeURIComponent(views)}`)
  for (const view of views.split(',')) source.addEventListener(view, event => take(view, JSON.parse(/** @type {MessageEvent} */ (event).data)))
}
document.addEventListener('visibilitychange', plan)

/**
 * The newest answer to a question without options, told by the server whenever it changes.
 * @param {string} view
 * @param {boolean} isOn
 * @returns {{data: any, at: number} | null} `null` until one came
 */
export function useLive(view, isOn) {
  const [data, setData] = useState(/** @type {any} */ (null))
  useEffect(() => {
    if (!isOn) return
    const takers = wanted.get(view) ?? new Set()
    wanted.set(view, takers.add(setData))
    plan()
    return () => {
      takers.delete(setData)
      if (!takers.size) wanted.delete(view)
      plan()
    }
  }, [view, isOn])
  return isOn ? data : null
}

/**
 * What was asked, with the answer that the server told last, where that is newer.
 * @param {import('./ask.js').Asked} asked
 * @param {{data: any, at: number} | null} told
 * @returns {import('./ask.js').Asked}
 */
export function newest(asked, told) {
  if (!asked.answer || !told || told.at < asked.answer.at) return asked
  return { ...asked, answer: { ...asked.answer, data: told.data, at: told.at } }
}
