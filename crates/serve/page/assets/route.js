// Where the reader is: the address holds all of it, so that a link shows another person the same.
import { store } from './store.js'

/** @typedef {{view: string, id: string, query: URLSearchParams, path: string}} Route */

/** What comes before `/job/…` in every address, with a slash at its end: `--base-path` of the server. */
export const base = new URL(document.baseURI).pathname

const VIEWS = ['job', 'trace', 'search', 'tail', 'sql', 'perf', 'gaps', 'handoffs', 'changes', 'anomalies', 'workers', 'health']

/** @returns {Route} */
function read() {
  const path = location.pathname.startsWith(base) ? location.pathname.slice(base.length) : location.pathname.slice(1)
  const [view = '', ...rest] = path.split('/')
  const known = view === '' || VIEWS.includes(view)
  return {
    view: known ? view || 'home' : 'nowhere',
    id: decode(rest.join('/')),
    query: new URLSearchParams(location.search),
    path: path + location.search,
  }
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export const route = store(read())
addEventListener('popstate', () => route.set(read()))

/**
 * Goes to an address inside the page, such as `job/job_123?compare=typical`.
 * @param {string} path
 * @param {{replace?: boolean}} [how]
 */
export function go(path, how = {}) {
  const url = new URL(path, new URL(base, location.href))
  if (url.href === location.href) return
  history[how.replace ? 'replaceState' : 'pushState'](null, '', url)
  route.set(read())
}

/**
 * The same view with other settings; `null` takes one away.
 * @param {Record<string, string | string[] | null | undefined>} changes
 * @param {{replace?: boolean}} [how]
 */
export function setQuery(changes, how) {
  const query = new URLSearchParams(location.search)
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name)
    if (Array.isArray(value)) for (const one of value) query.append(name, one)
    else if (value != null && value !== '') query.set(name, value)
  }
  const text = readable(query)
  go(location.pathname.slice(base.length) + (text ? `?${text}` : ''), how)
}

/**
 * A query as people can read it: colons and commas stay.
 * @param {URLSearchParams} query
 */
export function readable(query) {
  return query.toString().replace(/%3A/g, ':').replace(/%2C/g, ',').replace(/%2F/g, '/')
}

/**
 * An address inside the page, as a link needs it.
 * @param {string} view
 * @param {Record<string, string | null | undefined>} [query]
 */
export function link(view, query = {}) {
  const given = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value != null && value !== '') given.append(name, value)
  const text = readable(given)
  return base + view + (text ? `?${text}` : '')
}

/** @param {string} id */
export const jobLink = id => link(`job/${encodeURIComponent(id)}`)

/** Links of the page are followed without loading it anew. */
export function followLinks() {
  document.addEventListener('click', event => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    const anchor = event.target instanceof Element ? event.target.closest('a') : null
    if (!anchor || anchor.hasAttribute('download') || anchor.target || anchor.origin !== location.origin) return
    if (!anchor.pathname.startsWith(base) || anchor.pathname.startsWith(`${base}api/`)) return
    if (anchor.getAttribute('href')?.startsWith('#')) return
    event.preventDefault()
    go(anchor.pathname.slice(base.length) + anchor.search)
    scrollTo(0, 0)
  })
}
