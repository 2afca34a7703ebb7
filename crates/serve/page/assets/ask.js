// Asks the server. A question of the page is one of the command line: same name, same options, same answer.
import { useEffect, useRef, useState } from './html.js'
import { store, useStore } from './store.js'
import { base, route } from './route.js'

/** @typedef {Record<string, string | number | boolean | string[] | null | undefined>} Options */
/**
 * @typedef {object} Answer
 * @property {any} data
 * @property {string} command the command line that asks the same
 * @property {string} sql the statement that asks the same, where there is one
 * @property {string[]} notes what the command line would say beside the answer
 * @property {number} took milliseconds until it was here
 * @property {number} at when it was here, in ms since the page began
 */

export class AskError extends Error {
  /**
   * @param {string} message
   * @param {string} kind usage, failed, not_found, limit, forbidden, unauthorized or network
   */
  constructor(message, kind) {
    super(message)
    this.kind = kind
  }
}

/** `lost` while the server cannot be reached. */
export const connection = store(/** @type {'good' | 'lost'} */ ('good'))
/** `null` until it is known. */
export const signedIn = store(/** @type {boolean | null} */ (null))
/** How the view on the screen was asked, for its line at the bottom. */
export const asked = store(/** @type {{command: string, sql: string} | null} */ (null))

/** @param {Options} options */
export function queryOf(options) {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(options)) {
    if (value == null || value === '' || value === false) continue
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one))
  }
  return query.toString()
}

/** @param {string} path @param {Options} [options] */
export function apiAddress(path, options = {}) {
  const query = queryOf(options)
  return `${base}api/v1/${path}${query ? `?${query}` : ''}`
}

/**
 * @param {string} address
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function request(address, init) {
  let response
  try {
    response = await fetch(address, { credentials: 'same-origin', ...init })
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    lose()
    throw new AskError('The server cannot be reached.', 'network')
  }
  connection.set('good')
  if (response.ok) return response
  const told = await response.json().catch(() => null)
  if (response.status === 401) signedIn.set(false)
  throw new AskError(told?.error?.message ?? `The server answered ${response.status}.`, told?.error?.kind ?? 'failed')
}

/** Asks whether the server is there again, until it is. */
function lose() {
  if (connection.get() === 'lost') return
  connection.set('lost')
  const look = () =>
    fetch(`${base}healthz`, { cache: 'no-store' })
      .then(() => connection.set('good'))
      .catch(() => setTimeout(look, 1000))
  setTimeout(look, 500)
}

/**
 * @param {string} path
 * @param {Options} [options]
 * @param {RequestInit} [init]
 * @returns {Promise<Answer>}
 */
export async function ask(path, options = {}, init) {
  const began = performance.now()
  const response = await request(apiAddress(path, options), init)
  const data = await response.json()
  return { data, ...told(response), took: performance.now() - began, at: performance.now() }
}

/**
 * Asks in SQL.
 * @param {string} statement
 * @param {RequestInit} [init]
 * @returns {Promise<Answer>}
 */
export async function askSql(statement, init) {
  const began = performance.now()
  const body = JSON.stringify({ statement, format: 'ndjson', limit: 10_000 })
  const response = await request(apiAddress('sql'), { method: 'POST', headers: { 'content-type': 'application/json' }, body, ...init })
  const lines = (await response.text()).split('\n').filter(line => line.trim())
  return { data: lines.map(line => JSON.parse(line)), ...told(response), sql: statement, took: performance.now() - began, at: performance.now() }
}

/** @param {Response} response */
export function told(response) {
  const notes = header(response, 'Emp-Events-Notes')
  return {
    command: header(response, 'Emp-Events-Command'),
    sql: header(response, 'Emp-Events-Sql'),
    notes: notes ? /** @type {string[]} */ (JSON.parse(notes)) : [],
  }
}

/** @param {Response} response @param {string} name */
function header(response, name) {
  const text = response.headers.get(name) ?? ''
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** What is asked before the view that needs it is there. @type {Map<string, Promise<Answer>>} */
const early = new Map()

/** Asks at once what a view is about to ask, while the page is still on its way. @param {string} path @param {Options} [options] */
export function askEarly(path, options = {}) {
  const answer = ask(path, options)
  answer.catch(() => {})
  early.set(`${path}?${queryOf(options)}`, answer)
}

/** Each is used once, so that nothing old is shown later. @param {string} question */
function takeEarly(question) {
  const answer = early.get(question)
  early.delete(question)
  return answer
}

/**
 * @typedef {object} Asked
 * @property {Answer | null} answer the last that was given
 * @property {AskError | null} error why the last question failed
 * @property {boolean} loading
 * @property {() => void} again
 */

/**
 * Asks while the part that calls it is on the screen, and again when the question changes.
 * @param {string | null} path `null` asks nothing
 * @param {Options} [options]
 * @param {{every?: number, main?: boolean}} [how] `every`: asks again after so many ms, while somebody looks;
 *   `main`: the line at the bottom of the page shows how it was asked
 * @returns {Asked}
 */
export function useAnswer(path, options = {}, how = {}) {
  const question = path === null ? null : `${path}?${queryOf(options)}`
  const given = useRef(options)
  given.current = options
  return useAsked(question, signal => takeEarly(/** @type {string} */ (question)) ?? ask(/** @type {string} */ (path), given.current, { signal }), how)
}

/**
 * The same of a statement.
 * @param {string | null} statement
 * @param {{every?: number, main?: boolean}} [how]
 */
export function useSql(statement, how = {}) {
  return useAsked(statement, signal => askSql(/** @type {string} */ (statement), { signal }), how)
}

/**
 * @param {string | null} question
 * @param {(signal: AbortSignal) => Promise<Answer>} put
 * @param {{every?: number, main?: boolean}} how
 * @returns {Asked}
 */
function useAsked(question, put, how) {
  const [state, setState] = useState(/** @type {{question: string | null, answer: Answer | null, error: AskError | null, loading: boolean}} */ (
    { question: null, answer: null, error: null, loading: question !== null }
  ))
  const [turn, setTurn] = useState(0)
  const reached = useStore(connection)

  const busy = useRef(false)

  useEffect(() => {
    if (question === null) return
    const aborter = new AbortController()
    busy.current = true
    setState(old => ({ ...old, loading: true }))
    put(aborter.signal).then(
      answer => {
        if (aborter.signal.aborted) return
        setState({ question, answer, error: null, loading: false })
        if (how.main) asked.set({ command: answer.command, sql: answer.sql })
      },
      error => {
        if (aborter.signal.aborted) return
        const failure = error instanceof AskError ? error : new AskError(String(error), 'failed')
        setState(old => ({ question, answer: old.question === question ? old.answer : null, error: failure, loading: false }))
      },
    ).finally(() => {
      if (!aborter.signal.aborted) busy.current = false
    })
    return () => aborter.abort()
  }, [question, turn, reached === 'good'])
  useEffect(() => {
    if (!how.every || question === null) return
    // What takes longer than that is waited for, and nothing is asked for a tab that nobody sees.
    const timer = setInterval(() => document.hidden || busy.current || setTurn(old => old + 1), how.every)
    return () => clearInterval(timer)
  }, [question, how.every])

  const isCurrent = state.question === question
  return {
    answer: question === null ? null : state.answer,
    error: isCurrent ? state.error : null,
    loading: question !== null && (state.loading || !isCurrent),
    again: () => setTurn(old => old + 1),
  }
}

// What another view was asked is not what this one was.
let shown = ''
route.subscribe(now => {
  const view = `${now.view}/${now.id}`
  if (view !== shown) asked.set(null)
  shown = view
})
