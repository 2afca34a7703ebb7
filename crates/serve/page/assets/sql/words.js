// Cuts a statement into words, and knows which may come next.

/** @typedef {{kind: string, text: string, at: number}} Word */

const KEYWORDS = new Set(`select from where group by order having limit offset as and or not in is null like ilike between case when then else end
  distinct union all join left right inner outer full cross on using with recursive asc desc nulls first last over partition rows range exists
  interval cast explain describe show true false filter lateral unnest values similar to escape`.split(/\s+/))

export const FUNCTIONS = `abs approx_distinct approx_percentile_cont array_agg avg ceil coalesce concat contains count date_bin date_part date_trunc
  floor from_unixtime greatest lag lead least left length lower max median min nullif now percent_rank rank regexp_like regexp_match regexp_replace
  replace right round row_number split_part starts_with stddev string_agg strpos substr sum to_char to_timestamp trim upper`.split(/\s+/)

export const TABLES = ['events', 'transitions', 'losses', 'quarantine', 'dead_letters', 'files']
export const COLUMNS = ['id', 'timestamp', 'ingested_at', 'service', 'event_type', 'level', 'job_id', 'trace_id', 'worker_id', 'machine_id', 'user_id', 'duration_ms', 'data']

const PATTERN = /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*'?)|("(?:[^"]|"")*"?)|(\d+(?:\.\d+)?)|([A-Za-z_][\w]*)|(\s+)|([\s\S])/g
const KINDS = ['comment', 'text', 'name', 'figure', 'word', 'blank', 'sign']

/** @param {string} statement @returns {Word[]} */
export function wordsOf(statement) {
  return [...statement.matchAll(PATTERN)].map(match => {
    const kind = KINDS[match.slice(1).findIndex(part => part !== undefined)]
    const text = match[0]
    const isCalled = /^\s*\(/.test(statement.slice(match.index + text.length, match.index + text.length + 8))
    const known = kind !== 'word' ? kind : KEYWORDS.has(text.toLowerCase()) ? 'keyword' : isCalled || FUNCTIONS.includes(text.toLowerCase()) ? 'function' : 'word'
    return { kind: known, text, at: match.index }
  })
}

/**
 * What may stand where the caret is.
 * @param {string} statement @param {number} caret @param {{event_types?: string[], services?: string[]}} known
 * @returns {{from: number, choices: {text: string, kind: string}[]}}
 */
export function completions(statement, caret, known) {
  const words = wordsOf(statement.slice(0, caret))
  const last = words[words.length - 1]
  if (last?.kind === 'text' && (last.text.length === 1 || !last.text.endsWith("'"))) return inText(words, last, known)
  if (!last || !['word', 'keyword', 'function'].includes(last.kind)) return { from: caret, choices: [] }
  const typed = last.text.toLowerCase()
  const before = words.slice(0, -1).reverse().find(word => word.kind !== 'blank')
  const isTable = before !== undefined && /^(from|join|describe)$/i.test(before.text)
  const pool = isTable
    ? TABLES.map(text => ({ text, kind: 'table' }))
    : [...COLUMNS.map(text => ({ text, kind: 'column' })), ...FUNCTIONS.map(text => ({ text: `${text}(`, kind: 'function' })),
      ...TABLES.map(text => ({ text, kind: 'table' })), ...[...KEYWORDS].map(text => ({ text, kind: 'word' }))]
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
