// Cuts a statement into words, and knows which may come next.

/** @typedef {{kind: string, text: string, at: number}} Word */

const KEYWORDS = new Set(`select from where group by order having limit offset as and or not in is null like ilike between case when then else end
  distinct union all join left right inner outer full cross on using with recursive asc desc nulls first last over partition rows range exists
  interval cast explain describe show true false filter lateral unnest values similar to escape`.split(/\s+/))

/**
 * @typedef {object} Known what may be named
 * @property {string[]} tables
 * @property {string[]} columns
 * @property {string[]} functions
 */

/** @type {Known} */
export const NOTHING = { tables: [], columns: [], functions: [] }

/** @param {{tables: Record<string, {name: string}[]>, functions: string[]}} told as the server tells it @returns {Known} */
export function knownOf({ tables, functions }) {
  const all = Object.values(tables).flat().map(column => column.name)
  // Those of the table that is asked most come first.
  return { tables: Object.keys(tables), columns: [...new Set([...(tables.events ?? []).map(column => column.name), ...all])], functions }
}

const PATTERN = /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*'?)|("(?:[^"]|"")*"?)|(\d+(?:\.\d+)?)|([A-Za-z_][\w]*)|(\s+)|([\s\S])/g
const KINDS = ['comment', 'text', 'name', 'figure', 'word', 'blank', 'sign']

/** @param {string} statement @param {Known} known @returns {Word[]} */
export function wordsOf(statement, known) {
  return [...statement.matchAll(PATTERN)].map(match => {
    const kind = KINDS[match.slice(1).findIndex(part => part !== undefined)]
    const text = match[0]
    const isCalled = /^\s*\(/.test(statement.slice(match.index + text.length, match.index + text.length + 8))
    const name = text.toLowerCase()
    return { kind: kind !== 'word' ? kind : KEYWORDS.has(name) ? 'keyword' : isCalled ? 'function' : known.tables.includes(name) ? 'name' : 'word', text, at: match.index }
  })
}

/**
 * What may stand where the caret is.
 * @param {string} statement @param {number} caret @param {Known} known
 * @param {{event_types?: string[], services?: string[]} | null} values
 * @returns {{from: number, choices: {text: string, kind: string}[]}}
 */
export function completions(statement, caret, known, values) {
  const words = wordsOf(statement.slice(0, caret), known)
  const last = words[words.length - 1]
  if (last?.kind === 'text' && (last.text.length === 1 || !last.text.endsWith("'"))) return inText(words, last, values ?? {})
  if (!last || !['word', 'keyword', 'function'].includes(last.kind)) return { from: caret, choices: [] }
  const typed = last.text.toLowerCase()
  const before = words.slice(0, -1).reverse().find(word => word.kind !== 'blank')
  const isTable = before !== undefined && /^(from|join|describe)$/i.test(before.text)
  const pool = isTable
    ? known.tables.map(text => ({ text, kind: 'table' }))
    : [...known.columns.map(text => ({ text, kind: 'column' })), ...known.functions.map(text => ({ text: `${text}(`, kind: 'function' })),
      ...known.tables.map(text => ({ text, kind: 'table' })), ...[...KEYWORDS].map(text => ({ text, kind: 'word' }))]
  const choices = pool.filter(choice => choice.text.startsWith(typed) && choice.text !== typed).slice(0, 9)
  return { from: last.at, choices }
}

/** Types, services and levels inside of quotes. @param {Word[]} words @param {Word} last @param {{event_types?: string[], services?: string[]}} known */
function inText(words, last, known) {
  const typed = last.text.slice(1).toLowerCase()
  const column = words.slice(0, -1).reverse().find(word => word.kind === 'word')?.text.toLowerCase()
  const pool = column === 'service' ? known.services : column === 'level' ? ['debug', 'info', 'warn', 'error'] : column === 'event_type' ? known.event_types : []
  const choices = (pool ?? []).filter(one => one.toLowerCase().includes(typed)).slice(0, 9).map(one => ({ text: `'${one}'`, kind: column ?? '' }))
  return { from: last.at, choices }
}
